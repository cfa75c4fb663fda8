"""Hashes, without the expiry of fields, which the reference does not know."""

from generators.words import JUNK, PATTERNS, Group, pairs_without_order, unordered

# Past what both servers hold in one piece.
MANY = 1500


def pairs_agree(command, a, b, tolerance_ms):
    return pairs_without_order(a) == pairs_without_order(b)


def scan_agrees(command, a, b, tolerance_ms):
    # Only calls that go through everything at once are sent in batches.
    if a[0] != "*" or b[0] != "*":
        return a == b
    return a[1][0] == b[1][0] and pairs_without_order(a[1][1]) == pairs_without_order(b[1][1])


def random_fields_agree(command, a, b, tolerance_ms):
    if len(command) == 2:
        return a == b if "-" in (a[0], b[0]) else (a[1] is None) == (b[1] is None)
    if a[0] != "*" or b[0] != "*":
        return a == b
    if len(a[1]) != len(b[1]) or [item[0] for item in a[1]] != [item[0] for item in b[1]]:
        return False
    nested = bool(a[1]) and a[1][0][0] == "*"
    step = 2 if len(command) == 4 and not nested else 1
    count = int(command[2])
    if count < 0:
        return len(b[1]) == -count * step or not b[1]
    drawn = [b[1][i:i + step] for i in range(0, len(b[1]), step)]
    if len(set(drawn)) != len(drawn) or len(drawn) > count:
        return False
    # Fewer than were asked for are all.
    return len(drawn) == count or sorted(drawn, key=repr) == sorted(
        [a[1][i:i + step] for i in range(0, len(a[1]), step)], key=repr)


class Hashes(Group):
    name = "hash"
    weight = 2
    scan = b"HSCAN"
    scan_step = 2

    def rules(self):
        return {b"HGETALL": pairs_agree, b"HKEYS": unordered, b"HVALS": unordered,
                b"HSCAN": scan_agrees, b"HRANDFIELD": random_fields_agree}

    def junk(self, command):
        if command[0] == b"HSCAN":
            return []  # a part of an iteration, which each server cuts in its own way
        if command[0] == b"HRANDFIELD":
            # As many draws as these numbers say fill the memory.
            return [word for word in JUNK if len(word) < 4 or not word.lstrip(b"-").isdigit()]
        return JUNK

    def field(self):
        rng = self.rng
        kind = rng.randrange(20)
        if kind == 0:
            return b"f%d" % rng.randrange(MANY)
        if kind == 1:
            return rng.choice([b"", b"\x00", b"a b", b"m" * 64, b"m" * 65, b"glob*[x]", b"\xff\r\n", b"1"])
        return b"f%d" % rng.randrange(16)

    def fields(self, least=1, most=5):
        return [self.field() for _ in range(self.rng.randrange(least, most + 1))]

    def set(self):
        rng = self.rng
        command = [rng.choice([b"HSET", b"HSET", b"HMSET"]), self.words.key()]
        for field in self.fields():
            command += [field, self.words.value()]
        return command

    def fill(self):
        """Some hundreds of fields, or most of them gone again."""
        rng = self.rng
        key, first = self.words.key(), rng.randrange(MANY)
        fields = [b"f%d" % (i % MANY) for i in range(first, first + rng.randrange(20, 300))]
        if rng.randrange(3) == 0:
            return [b"HDEL", key] + fields
        command = [b"HSET", key]
        for field in fields:
            command += [field, b"v" * rng.randrange(12)]
        return command

    def random_field(self):
        rng = self.rng
        command = [b"HRANDFIELD", self.words.key()]
        if rng.randrange(4):
            command.append(b"%d" % rng.choice([0, 1, -1, 3, -3, 10, -40, 100, 400, 5000]))
            if rng.randrange(2):
                command.append(self.words.word(b"WITHVALUES"))
        return command

    def scan_whole(self):
        rng = self.rng
        command = [b"HSCAN", self.words.key(), b"0", self.words.word(b"COUNT"), b"100000"]
        if rng.randrange(2):
            command += [self.words.word(b"MATCH"), rng.choice(PATTERNS + [b"f1*", b"f?", b"m*"])]
        return command

    def makers(self):
        rng, words = self.rng, self.words
        return [
            (20, self.set),
            (1, self.fill),
            (5, lambda: [b"HSETNX", words.key(), self.field(), words.value()]),
            (10, lambda: [b"HGET", words.key(), self.field()]),
            (5, lambda: [b"HMGET", words.key()] + self.fields()),
            (3, lambda: [b"HGETALL", words.key()]),
            (2, lambda: [rng.choice([b"HKEYS", b"HVALS"]), words.key()]),
            (4, lambda: [b"HLEN", words.key()]),
            (4, lambda: [b"HSTRLEN", words.key(), self.field()]),
            (4, lambda: [b"HEXISTS", words.key(), self.field()]),
            (8, lambda: [b"HDEL", words.key()] + self.fields()),
            (8, lambda: [b"HINCRBY", words.key(), self.field(), words.integer()]),
            (5, lambda: [b"HINCRBYFLOAT", words.key(), self.field(),
                         b"%.*f" % (rng.randrange(8), rng.uniform(-99, 99))]),
            (1, lambda: [b"HINCRBYFLOAT", words.key(), self.field(),
                         b"%.3e" % (rng.uniform(-9, 9) * 10.0**rng.randrange(-20, 25))]),
            (6, self.random_field),
            (3, self.scan_whole),
            (1, lambda: [b"HSCAN", words.key(), rng.choice([b"x", b"-", b"1x", b" 1", b"18446744073709551616"])]),
            (1, lambda: [b"HSCAN", words.key(), b"", b"COUNT", b"100000"]),
            (1, lambda: [b"HSCAN", words.key(), b"0"] + rng.choice(
                [[b"COUNT", b"0"], [b"COUNT"], [b"COUNT", b"x"], [b"MATCH"], [b"TYPE", b"hash"], [b"NOSUCH"]])),
            (1, lambda: [b"HRANDFIELD", words.key(), rng.choice(
                [b"9223372036854775807", b"-9223372036854775808", b"4611686018427387904", b"x"])] + rng.choice(
                    [[], [b"WITHVALUES"], [b"WITHSCORES"], [b"WITHVALUES", b"x"]])),
            (2, lambda: [b"DEL", words.key()]),
            (0.3, lambda: [b"SET", words.key(), words.value()]),
        ]
