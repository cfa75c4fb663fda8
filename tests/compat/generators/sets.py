"""Sets."""

from generators.words import JUNK, PATTERNS, Group, unordered, without_order

# Past what both servers hold in one piece.
MANY = 1500


def scan_agrees(command, a, b, tolerance_ms):
    # Only calls that go through everything at once are sent in batches.
    if a[0] != "*" or b[0] != "*":
        return a == b
    return a[1][0] == b[1][0] and without_order(a[1][1]) == without_order(b[1][1])


class Sets(Group):
    name = "set"
    weight = 2
    scan = b"SSCAN"

    def __init__(self, words):
        super().__init__(words)
        # What the last "smembers" showed: the draws that follow it are told from that.
        self.key = None
        self.members = frozenset()

    def rules(self):
        return {b"SMEMBERS": self.members_agree, b"SSCAN": scan_agrees,
                b"SINTER": unordered, b"SUNION": unordered, b"SDIFF": unordered,
                b"SPOP": self.draws_agree, b"SRANDMEMBER": self.draws_agree}

    def members_agree(self, command, a, b, tolerance_ms):
        if command[0] == b"smembers":
            self.key = command[1]
            self.members = frozenset(b[1]) if b[0] in "*~" else frozenset()
        return unordered(command, a, b, tolerance_ms)

    def draws_agree(self, command, a, b, tolerance_ms):
        """The same number of members, all of the set, and different ones unless asked otherwise."""
        known = self.key is not None and command[1:2] == [self.key]
        self.key = None
        if a[0] != b[0] or a[0] == "-":
            return a == b
        if a[0] not in "*~":
            return (a[1] is None) == (b[1] is None) and (
                not known or b[1] is None or b in self.members)
        if len(a[1]) != len(b[1]) or (known and not self.members.issuperset(b[1])):
            return False
        if not command[2].startswith(b"-"):
            if len(set(b[1])) != len(b[1]):
                return False
            if len(b[1]) < int(command[2]):  # all of them
                return without_order(a) == without_order(b)
        return True

    def junk(self, command):
        # What belongs together is in lower case: a mistake would leave other members on each server,
        # or show those of another key.
        if command[0].islower() or command[0] == b"SPOP":
            return []
        if command[0] == b"SSCAN":
            return []  # a part of an iteration, which each server cuts in its own way
        if command[0] == b"SRANDMEMBER":
            # As many draws as these numbers say fill the memory.
            return [word for word in JUNK if len(word) < 4 or not word.lstrip(b"-").isdigit()]
        return JUNK

    def member(self):
        rng = self.rng
        kind = rng.randrange(20)
        if kind == 0:
            return b"%d" % rng.randrange(MANY)
        if kind == 1:
            return rng.choice([b"", b"\x00", b"a b", b"m" * 64, b"01", b"+1", b"-0", b"1 ", b"glob*[x]",
                               b"9223372036854775807", b"-9223372036854775808",
                               b"9223372036854775808", b"\xff\r\n"])
        if kind == 2:
            return self.words.value()
        if kind < 6:
            return b"m%d" % rng.randrange(16)
        return b"%d" % rng.randrange(-4, 16)

    def some_members(self, least=1, most=5):
        return [self.member() for _ in range(self.rng.randrange(least, most + 1))]

    def fill(self):
        """Some hundreds of members, or most of them gone again."""
        rng = self.rng
        key, first = self.words.key(), rng.randrange(MANY)
        form = rng.choice([b"%d", b"%d", b"m%d"])
        members = [form % (i % MANY) for i in range(first, first + rng.randrange(20, 600))]
        return [rng.choice([b"SADD", b"SADD", b"SREM"]), key] + members

    def pop(self):
        """The members that stay are each server's own, so they go, too."""
        rng, key = self.rng, self.words.key()
        command = [b"spop", key]
        if rng.randrange(4):
            command.append(b"%d" % rng.choice([0, 1, 2, 5, 15, 100, 400, 5000, 2**63 - 1]))
        return [[b"smembers", key], command, [b"scard", key], [b"exists", key], [b"del", key]]

    def random_member(self):
        rng, key = self.rng, self.words.key()
        count = [b"%d" % rng.choice([0, 1, -1, 3, -3, 10, -40, 100, 400, -2000, 5000])]
        if rng.randrange(4) == 0:
            count = []
        if rng.randrange(2):
            return [b"SRANDMEMBER", key] + count
        return [[b"smembers", key], [b"srandmember", key] + count]

    def several(self):
        rng = self.rng
        name = rng.choice([b"SINTER", b"SUNION", b"SDIFF"])
        if rng.randrange(3) == 0:
            return [name] + self.words.keys(1, 4)
        return [[name + b"STORE"] + self.words.keys(2, 4),
                [b"OBJECT", b"ENCODING", self.words.key()]]

    def intersection_size(self):
        rng = self.rng
        keys = self.words.keys(1, 4)
        count = len(keys) if rng.randrange(8) else rng.choice([0, -1, 1, 2, 9])
        command = [b"SINTERCARD", b"%d" % count] + keys
        if rng.randrange(2):
            command += [self.words.word(b"LIMIT"), rng.choice([b"0", b"1", b"2", b"10", b"400", b"-1", b"x"])]
        return command

    def scan_whole(self):
        rng = self.rng
        command = [b"SSCAN", self.words.key(), b"0", self.words.word(b"COUNT"), b"100000"]
        if rng.randrange(2):
            command += [self.words.word(b"MATCH"), rng.choice(PATTERNS + [b"1*", b"m?", b"-*"])]
        return command

    def makers(self):
        rng, words = self.rng, self.words
        return [
            (20, lambda: [b"SADD", words.key()] + self.some_members()),
            (2, self.fill),
            (8, lambda: [b"SREM", words.key()] + self.some_members()),
            (3, lambda: [b"SMEMBERS", words.key()]),
            (4, lambda: [b"SCARD", words.key()]),
            (5, lambda: [b"SISMEMBER", words.key(), self.member()]),
            (5, lambda: [b"SMISMEMBER", words.key()] + self.some_members()),
            (8, lambda: [b"SMOVE", words.key(), words.key(), self.member()]),
            (2, self.pop),
            (6, self.random_member),
            (12, self.several),
            (6, self.intersection_size),
            (3, self.scan_whole),
            (3, lambda: [b"OBJECT", b"ENCODING", words.key()]),
            (1, lambda: [b"SSCAN", words.key(), rng.choice(
                [b"x", b"-", b"1x", b" 1", b"18446744073709551616"])]),
            (1, lambda: [b"SSCAN", words.key(), b"", b"COUNT", b"100000"]),
            (1, lambda: [b"SSCAN", words.key(), b"0"] + rng.choice(
                [[b"COUNT", b"0"], [b"COUNT"], [b"COUNT", b"x"], [b"MATCH"], [b"TYPE", b"set"],
                 [b"NOVALUES"]])),
            (1, lambda: [b"SRANDMEMBER", words.key()] + rng.choice(
                [[b"-9223372036854775808"], [b"9223372036854775807"], [b"9223372036854775808"], [b"x"],
                 [b"1", b"2"], [b"1.0"]])),
            # Refused, so nothing is popped.
            (1, lambda: [b"SPOP", words.key()] + rng.choice(
                [[b"-1"], [b"x"], [b"1", b"2"], [b""], [b"9223372036854775808"]])),
            (2, lambda: [b"DEL", words.key()]),
            (0.3, lambda: [b"SET", words.key(), words.value()]),
        ]
