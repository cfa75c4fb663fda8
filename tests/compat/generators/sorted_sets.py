"""Sorted sets, with sets as sources and blocking commands whose timeouts are a millisecond."""

from generators.lists import NO_TIMEOUTS, TIMEOUT
from generators.words import JUNK, PATTERNS, Group, pairs_without_order

# Past what both servers hold in one piece.
MANY = 1000
SCORES = [b"inf", b"-inf", b"+inf", b"1e300", b"-1e300", b"-0", b"0", b"0.1", b"3.3", b"1e17", b"-1e-7",
          b"4611686018427387904", b"9223372036854775807", b"0x1p4", b"12345678901234567890", b"5e-324",
          b"nan", b"1e400", b"abc", b"", b" 1", b"(1"]
BOUNDS = [b"-inf", b"+inf", b"inf", b"(inf", b"(-inf", b"", b"(", b" 1", b"1\x00x", b"-0", b"(-0", b"1e400",
          b"nan", b"abc", b"(abc", b"((1", b"1 ", b"[1"]
LEX_BOUNDS = [b"-", b"+", b"-", b"+", b"[", b"(", b"", b"+x", b"-\x00x", b"a", b"[\xff", b"(\x00"]


def scan_agrees(command, a, b, tolerance_ms):
    # Only calls that go through everything at once are sent in batches.
    if a[0] != "*" or b[0] != "*":
        return a == b
    return a[1][0] == b[1][0] and pairs_without_order(a[1][1]) == pairs_without_order(b[1][1])


def random_members_agree(command, a, b, tolerance_ms):
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
    # All of them, when there are not more, come in one order.
    return len(drawn) == count or a == b


def ranks_agree(command, a, b, tolerance_ms):
    # An option more than the reference knows, WITHSCORE.
    return a == b or (len(command) == 4 and b == ("-", b"ERR syntax error"))


class SortedSets(Group):
    name = "zset"
    weight = 4
    scan = b"ZSCAN"
    scan_step = 2

    def __init__(self, words):
        super().__init__(words)
        self.keys += [b"set0", b"set1"]
        # Ranges of bytes mean something only where all scores are one.
        self.lex_keys = [b"lex0", b"lex1", b"lex2"]

    def rules(self):
        return {b"ZSCAN": scan_agrees, b"ZRANDMEMBER": random_members_agree,
                b"ZRANK": ranks_agree, b"ZREVRANK": ranks_agree}

    def junk(self, command):
        name = command[0].upper()
        if name.startswith(b"B"):
            return NO_TIMEOUTS
        if name == b"ZSCAN" or command[1:2] and command[1] in self.lex_keys:
            return []  # a part of an iteration; members of several scores
        if name == b"ZRANDMEMBER":
            # As many draws as these numbers say fill the memory.
            return [word for word in JUNK if len(word) < 4 or not word.lstrip(b"-").isdigit()]
        if name == b"ZMPOP":
            return [word for word in JUNK if word != b"9223372036854775807"]  # the reference ends
        return JUNK + [b"WITHSCORES", b"LIMIT", b"BYSCORE", b"BYLEX", b"REV", b"INCR", b"GT", b"CH"]

    def member(self):
        rng = self.rng
        kind = rng.randrange(20)
        if kind == 0:
            return b"m%d" % rng.randrange(MANY)
        if kind == 1:
            return rng.choice([b"", b"\x00", b"a b", b"m" * 64, b"m" * 65, b"glob*[x]", b"\xff\r\n", b"1"])
        return b"m%d" % rng.randrange(16)

    def members(self, least=1, most=5):
        return [self.member() for _ in range(self.rng.randrange(least, most + 1))]

    def score(self):
        rng = self.rng
        kind = rng.randrange(30)
        if kind == 0:
            return rng.choice(SCORES)
        if kind < 4:
            return rng.choice(SCORES[:16])
        if kind < 10:
            return b"%.*f" % (rng.randrange(1, 18), rng.uniform(-10, 10))
        if kind == 10:
            return b"%.17g" % (rng.uniform(-9, 9) * 10.0**rng.randrange(-300, 300))
        return b"%d" % rng.randrange(-8, 9)

    def bound(self):
        rng = self.rng
        kind = rng.randrange(12)
        if kind == 0:
            return rng.choice(BOUNDS)
        if kind < 3:
            return rng.choice(BOUNDS[:3])
        return rng.choice([b"", b"", b"("]) + rng.choice(
            [b"%d" % rng.randrange(-9, 10), b"%.3f" % rng.uniform(-10, 10)])

    def lex_bound(self):
        rng = self.rng
        if rng.randrange(4) == 0:
            return rng.choice(LEX_BOUNDS)
        return rng.choice([b"[", b"("]) + self.member()[:rng.choice([1, 2, 3, 9])]

    def rank(self):
        rng = self.rng
        return b"%d" % rng.choice([0, 0, -1, -1, rng.randrange(-20, 20), rng.randrange(-300, 300),
                                   rng.choice([2**63 - 1, -2**63, 2**63])])

    def limit(self):
        rng = self.rng
        return [self.words.word(b"LIMIT"),
                b"%d" % rng.choice([0, 0, 1, 3, 20, 200, -1, 2**63 - 1]),
                b"%d" % rng.choice([0, 1, 5, 5, 100, -1, -7, 2**63 - 1])]

    def add(self):
        rng = self.rng
        command = [b"ZADD", self.words.key()]
        incr = rng.randrange(8) == 0
        for option in (b"NX", b"XX", b"GT", b"LT", b"CH"):
            if rng.randrange(7) == 0:
                command.append(self.words.word(option))
        if incr:
            command.append(self.words.word(b"INCR"))
        for member in self.members(most=1 if incr and rng.randrange(8) else 5):
            command += [self.score(), member]
        return command

    def fill(self):
        """Some hundreds of members, or most of them gone again."""
        rng = self.rng
        key, first = self.words.key(), rng.randrange(MANY)
        members = [b"m%d" % (i % MANY) for i in range(first, first + rng.randrange(20, 300))]
        if rng.randrange(3) == 0:
            return [b"ZREM", key] + members
        command = [b"ZADD", key]
        for member in members:
            command += [b"%d" % rng.randrange(-8, 9), member]
        return command

    def score_range(self, least, most, extra):
        """Names of a command that takes them in this order, or in the other."""
        bounds = [self.bound(), self.bound()]
        return least + bounds + extra if self.rng.randrange(2) else most + bounds[::-1] + extra

    def range_options(self):
        rng, options = self.rng, []
        if rng.randrange(3) == 0:
            options += self.limit()
        if rng.randrange(3) == 0:
            options.append(self.words.word(b"WITHSCORES"))
        rng.shuffle(options) if rng.randrange(10) == 0 else None
        return options

    def range(self):
        rng, word = self.rng, self.words.word
        command = [b"ZRANGE", self.words.key()]
        kind = rng.randrange(5)
        if kind < 2:
            command += [self.rank(), self.rank()]
            if rng.randrange(10) == 0:
                command += self.limit()
        else:
            command += [self.bound(), self.bound(), word(b"BYSCORE")]
            if rng.randrange(3) == 0:
                command += self.limit()
        if rng.randrange(2):
            command.append(word(b"REV"))
        if rng.randrange(20) == 0:
            command.append(word(rng.choice([b"BYLEX", b"BYSCORE", b"REV", b"WITHSCORE"])))
        if rng.randrange(6) == 0:
            return [b"ZRANGESTORE", self.words.key()] + command[1:]
        if rng.randrange(2):
            command.append(word(b"WITHSCORES"))
        return command

    def other_range(self):
        rng, key = self.rng, self.words.key()
        return rng.choice([
            lambda: [b"ZREVRANGE", key, self.rank(), self.rank()] +
                    rng.choice([[], [self.words.word(b"WITHSCORES")]]),
            lambda: self.score_range([b"ZRANGEBYSCORE", key], [b"ZREVRANGEBYSCORE", key],
                                     self.range_options()),
            lambda: [b"ZCOUNT", key, self.bound(), self.bound()],
            lambda: [b"ZLEXCOUNT", key, b"-", b"+"],
            lambda: [b"ZRANGEBYLEX", key, b"-", b"+"] + (self.limit() if rng.randrange(2) else []),
        ])()

    def remove_range(self):
        rng, key = self.rng, self.words.key()
        return rng.choice([
            lambda: [b"ZREMRANGEBYRANK", key, self.rank(), self.rank()],
            lambda: [b"ZREMRANGEBYSCORE", key, self.bound(), self.bound()],
        ])()

    def lex(self):
        rng, words = self.rng, self.words
        key, min, max = rng.choice(self.lex_keys), self.lex_bound(), self.lex_bound()
        limit = self.limit() if rng.randrange(3) == 0 else []
        kind = rng.randrange(13)
        if kind < 5:
            command = [b"ZADD", key]
            first, count = rng.randrange(MANY), rng.choice([1, 3, 3, 200])
            for i in range(count):
                command += [b"7", self.member() if count < 200 else b"m%d" % ((first + i) % MANY)]
            return command
        if kind == 5:
            return [b"ZREMRANGEBYLEX", key, min, max]
        if kind == 6:
            return [b"ZLEXCOUNT", key, min, max]
        if kind == 7:
            return [b"ZREM", key] + self.members()
        if kind < 10:
            return [b"ZRANGEBYLEX", key, min, max] + limit
        if kind == 10:
            return [b"ZREVRANGEBYLEX", key, max, min] + limit
        options = [words.word(b"BYLEX")] + limit
        if rng.randrange(2):
            options.append(words.word(b"REV"))
            min, max = max, min
        if kind == 11:
            return [b"ZRANGESTORE", rng.choice(self.lex_keys), key, min, max] + options
        return [b"ZRANGE", key, min, max] + options

    def combine(self):
        rng, words = self.rng, self.words
        name = rng.choice([b"ZUNION", b"ZINTER", b"ZDIFF", b"ZINTERCARD"])
        keys = words.keys(most=3)
        count = len(keys) + (rng.choice([-1, 1, 2]) if rng.randrange(25) == 0 else 0)
        options = []
        if name != b"ZINTERCARD" and (name != b"ZDIFF" or rng.randrange(20) == 0):
            if rng.randrange(2):
                options += [words.word(b"WEIGHTS")] + [
                    rng.choice([b"1", b"2", b"0.1", b"-1", b"0", b"1e300", b"inf", b"-inf", b"3.3",
                                self.score()]) for _ in keys]
            if rng.randrange(2):
                options += [words.word(b"AGGREGATE"), words.word(rng.choice([b"SUM", b"MIN", b"MAX"]))]
        if name == b"ZINTERCARD":
            if rng.randrange(2):
                options += [words.word(b"LIMIT"), b"%d" % rng.choice([0, 1, 3, 100, -1])]
        elif rng.randrange(3) == 0:
            return [name + b"STORE", words.key(), b"%d" % count] + keys + options
        if rng.randrange(2) and name != b"ZINTERCARD":
            options.append(words.word(b"WITHSCORES"))
        return [name, b"%d" % count] + keys + options

    def zmpop(self):
        rng, words = self.rng, self.words
        keys = words.keys(most=3)
        count = len(keys) + (rng.choice([-1, 1, 5]) if rng.randrange(20) == 0 else 0)
        command = [b"%d" % count] + keys + [words.word(rng.choice([b"MIN", b"MAX"]))]
        if rng.randrange(2):
            command += [words.word(b"COUNT"), b"%d" % rng.choice([1, 2, 10, 400, 0, -1])]
        return command

    def pop(self):
        rng, words = self.rng, self.words
        name = rng.choice([b"ZPOPMIN", b"ZPOPMAX"])
        kind = rng.randrange(8)
        if kind == 0:
            return [b"B" + name] + words.keys() + [TIMEOUT]
        if kind == 1:
            return [b"BZMPOP", TIMEOUT] + self.zmpop()
        if kind < 4:
            return [b"ZMPOP"] + self.zmpop()
        return [name, words.key()] + (
            [b"%d" % rng.choice([0, 1, 2, 10, 50, 400, -1])] if rng.randrange(2) else [])

    def random_member(self):
        rng = self.rng
        command = [b"ZRANDMEMBER", self.words.key()]
        if rng.randrange(4):
            command.append(b"%d" % rng.choice([0, 1, -1, 3, -3, 10, -40, 100, 400, 5000]))
            if rng.randrange(2):
                command.append(self.words.word(b"WITHSCORES"))
        return command

    def scan_whole(self):
        rng = self.rng
        command = [b"ZSCAN", self.words.key(), b"0", self.words.word(b"COUNT"), b"100000"]
        if rng.randrange(2):
            command += [self.words.word(b"MATCH"), rng.choice(PATTERNS + [b"m1*", b"m?", b"m*"])]
        return command

    def makers(self):
        rng, words = self.rng, self.words
        return [
            (25, self.add),
            (1.5, self.fill),
            (8, lambda: [b"ZINCRBY", words.key(), self.score(), self.member()]),
            (6, lambda: [b"ZREM", words.key()] + self.members()),
            (6, lambda: [b"ZSCORE", words.key(), self.member()]),
            (3, lambda: [b"ZMSCORE", words.key()] + self.members()),
            (3, lambda: [b"ZCARD", words.key()]),
            (8, lambda: [rng.choice([b"ZRANK", b"ZREVRANK"]), words.key(), self.member()]),
            (14, self.range),
            (12, self.other_range),
            (2, self.remove_range),
            (12, self.lex),
            (10, self.combine),
            (5, self.pop),
            (5, self.random_member),
            (3, self.scan_whole),
            (1, lambda: [b"ZSCAN", words.key(), rng.choice([b"x", b"-", b"1x", b" 1", b"18446744073709551616"])]),
            (1, lambda: [b"ZSCAN", words.key(), b"0"] + rng.choice(
                [[b"COUNT", b"0"], [b"COUNT"], [b"COUNT", b"x"], [b"MATCH"], [b"TYPE", b"zset"], [b"NOSUCH"]])),
            (1, lambda: [b"ZRANDMEMBER", words.key(), rng.choice(
                [b"9223372036854775807", b"-9223372036854775808", b"4611686018427387904", b"x"])] + rng.choice(
                    [[], [b"WITHSCORES"], [b"WITHVALUES"], [b"WITHSCORES", b"x"]])),
            (2, lambda: [b"SADD", rng.choice([b"set0", b"set1"])] + self.members(most=20)),
            (1, lambda: [b"SREM", rng.choice([b"set0", b"set1"])] + self.members()),
            (2, lambda: [b"DEL", words.key()]),
            (0.3, lambda: [b"SET", words.key(), words.value()]),
            (1, lambda: [b"ZADD", rng.choice(self.lex_keys), b"x"]),
        ]
