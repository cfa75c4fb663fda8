"""Places: sorted sets whose scores are cells of a grid."""

import math

from generators.words import JUNK, Group

UNITS = [b"m", b"km", b"ft", b"mi", b"M", b"Km"]
LONGITUDES = [-180, 180, -90, 90, 0, 45, 179.999, -179.999, 1e-7, -0.0]
LATITUDES = [-85.05112878, 85.05112878, 0, 66, 80.5, -66.1, 85, -84.9, 1e-7, 45, -0.0]
MISTAKES = JUNK + [b"180.0001", b"-85.1", b"1e300", b"COUNT", b"STORE", b"ANY", b"BYBOX", b"FROMLONLAT",
                   b"WITHDIST", b"miles"]


# Only here: their last digits may differ, as sines do.
DISTANCES = [b"distances %d" % i for i in range(3)]


def distances_agree(command, a, b, tolerance_ms):
    if a == b or command[1] not in DISTANCES or a[0] != "*" or len(a[1]) != len(b[1]):
        return a == b
    words = [[word for item in reply[1] for word in (item[1] if item[0] == "*" else [item])]
             for reply in (a, b)]  # RESP3 has pairs
    return all(math.isclose(float(x[1]), float(y[1]), rel_tol=1e-14) if i % 2 else x == y
               for i, (x, y) in enumerate(zip(*words)))


class Geo(Group):
    name = "geo"
    weight = 2

    def rules(self):
        return {b"ZRANGE": distances_agree}

    def junk(self, command):
        # A mistake must not store distances under a key that others read.
        return [] if any(word in DISTANCES for word in command) else MISTAKES

    def member(self):
        return b"m%d" % self.rng.randrange(self.rng.choice([5, 40, 400]))

    def point(self):
        rng = self.rng
        kind = rng.randrange(10)
        if kind < 4:  # a town
            return [b"%.*f" % (rng.randrange(8), rng.gauss(13.4, 0.2)),
                    b"%.*f" % (rng.randrange(8), rng.gauss(52.5, 0.2))]
        if kind < 7:
            return [repr(rng.uniform(-180, 180)).encode(), repr(rng.uniform(-85.05, 85.05)).encode()]
        if kind < 9:  # many of the same distance
            return [b"%d" % rng.randrange(-3, 4), b"%d" % rng.randrange(-3, 4)]
        return [repr(rng.choice(LONGITUDES)).encode(), repr(rng.choice(LATITUDES)).encode()]

    def distance(self):
        rng = self.rng
        return repr(rng.choice([0, 1, 100, 1000, rng.uniform(0, 50), rng.uniform(0, 1000),
                                rng.uniform(0, 30_000), rng.uniform(0, 3e7), 1e10])).encode()

    def add(self):
        rng, words = self.rng, self.words
        command = [b"GEOADD", words.key()]
        for option in (b"NX", b"XX", b"CH", b"CH"):
            if rng.randrange(6) == 0:
                command.append(words.word(option))
        for _ in range(rng.choice([1, 1, 2, 3, 20])):
            command += self.point() + [self.member()]
        return command

    def any_scores(self):
        rng = self.rng
        command = [b"ZADD", self.words.key()]
        for _ in range(rng.randrange(1, 4)):
            command += [rng.choice([b"-1", b"0", b"1.5", b"1e300", b"-inf", b"inf", b"3000000000000000",
                                    b"9007199254740993", b"-1e18", b"1.8446744073709552e19", b"1e19",
                                    b"%d" % rng.randrange(2**52)]), self.member()]
        return command

    def options(self, store):
        rng, words = self.rng, self.words
        options = []
        if not store or rng.randrange(20) == 0:
            options += [[words.word(word)] for word in (b"WITHDIST", b"WITHHASH", b"WITHCOORD")
                        if rng.randrange(3) == 0]
        if rng.randrange(2):
            options.append([words.word(rng.choice([b"ASC", b"DESC"]))])
        if rng.randrange(2):
            options.append([words.word(b"COUNT"), b"%d" % rng.choice([1, 2, 3, 10, 30, 100, 1000])])
            if rng.randrange(3) == 0:
                options.append([words.word(b"ANY")])
        return options

    def joined(self, options):
        self.rng.shuffle(options)
        return [word for option in options for word in option]

    def radius(self):
        rng, words = self.rng, self.words
        name = rng.choice([b"GEORADIUS", b"GEORADIUS_RO", b"GEORADIUSBYMEMBER", b"GEORADIUSBYMEMBER_RO"])
        command = [name, words.key()]
        command += [self.member()] if b"MEMBER" in name else self.point()
        command += [self.distance(), rng.choice(UNITS)]
        store = not name.endswith(b"_RO") and rng.randrange(4) == 0
        options = self.options(store)
        if store:
            options.append(rng.choice([[words.word(b"STORE"), words.key()],
                                       [words.word(b"STOREDIST"), rng.choice(DISTANCES)]]))
        return command + self.joined(options)

    def search(self):
        rng, words = self.rng, self.words
        store = rng.randrange(4) == 0
        distances = store and rng.randrange(2) == 0
        target = rng.choice(DISTANCES) if distances else words.key()
        command = [b"GEOSEARCHSTORE", target] if store else [b"GEOSEARCH"]
        command.append(words.key())
        options = self.options(store)
        options.append(rng.choice([[words.word(b"FROMMEMBER"), self.member()],
                                   [words.word(b"FROMLONLAT")] + self.point()]))
        options.append(rng.choice([
            [words.word(b"BYRADIUS"), self.distance(), rng.choice(UNITS)],
            [words.word(b"BYBOX"), self.distance(), self.distance(), rng.choice(UNITS)]]))
        if rng.randrange(30) == 0:
            options.append(rng.choice(options))
        if distances:
            options.append([words.word(b"STOREDIST")])
        return command + self.joined(options)

    def members(self):
        return [self.member() for _ in range(self.rng.randrange(5))]

    def makers(self):
        rng, words = self.rng, self.words
        return [
            (20, self.add),
            (1, self.any_scores),
            (5, lambda: [b"GEOPOS", words.key()] + self.members()),
            (5, lambda: [b"GEOHASH", words.key()] + self.members()),
            (6, lambda: [b"GEODIST", words.key(), self.member(), self.member()]
             + rng.choice([[], [rng.choice(UNITS)]])),
            (15, self.radius),
            (25, self.search),
            (4, lambda: [b"ZRANGE", rng.choice(DISTANCES + [words.key()]), b"0", b"-1", b"WITHSCORES"]),
            (1, lambda: [b"ZREM", words.key()] + [self.member() for _ in range(3)]),
            (0.4, lambda: [b"DEL", words.key()]),
        ]
