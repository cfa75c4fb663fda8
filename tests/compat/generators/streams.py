"""Streams and their consumer groups.

Ids are given, so that both servers hold the same: only streams that are deleted at once get ids of
the servers' clocks. "~" stands only where Redis removes all or nothing, since it removes whole
nodes of its tree and metaStore removes entries. BLOCK waits for one millisecond.
"""

from generators.words import JUNK, Group, same_type

SMALL_JUNK = [junk for junk in JUNK if len(junk) < 6]
GROUPS = [b"g0", b"g1", b"g2", b"", b"\xff\x01g"]
CONSUMERS = [b"alice", b"bob", b"carol", b"Bob", b"", b"\x00c"]
BAD_IDS = [b"", b"-", b"+", b"$", b">", b"x", b"1-", b"-1", b"1-x", b"1-*", b"*-1", b"*-*", b" 7", b"+7-+0",
           b"7- 1", b"7--1", b"07-01", b"7- -1", b"18446744073709551615", b"18446744073709551616",
           b"18446744073709551615-18446744073709551615", b"0-0", b"0", b"1-2-3", b"(5", b"((5", b"(",
           b"9" * 130, b"1" + b"0" * 126, b"1.5", b"0x10", b"1\x00z"]


class Streams(Group):
    name = "stream"
    weight = 3

    def __init__(self, words):
        super().__init__(words)
        # Ids grow with the run, so that most of them are above the last one.
        self.clock = 100

    # Ids.

    def id(self):
        rng = self.rng
        if rng.randrange(40) == 0:
            return rng.choice(BAD_IDS)
        ms = max(self.clock - rng.choice([0, 0, 1, 2, 5, rng.randrange(100)]), 0)
        return b"%d" % ms if rng.randrange(4) == 0 else b"%d-%d" % (ms, rng.randrange(3))

    def new_id(self):
        rng = self.rng
        self.clock += rng.choice([0, 1, 1, 2])
        if rng.randrange(40) == 0:
            return rng.choice(BAD_IDS)
        kind = rng.randrange(8)
        if kind == 0:
            return self.id()
        if kind < 3:
            return b"%d-*" % self.clock
        return b"%d-%d" % (self.clock, rng.randrange(3))

    def edge(self, low):
        rng = self.rng
        kind = rng.randrange(8)
        if kind < 3:
            return b"-" if low else b"+"
        if kind == 3:
            return b"(" + self.id()
        if kind == 4:
            return rng.choice([b"-", b"+", b"(-", b"(+", b"(0-0", b"(0", b"(18446744073709551615",
                               b"(18446744073709551615-18446744073709551615"])
        return self.id()

    def after(self):
        """XREAD's; "+" came with 7.4."""
        return self.rng.choice([b"$", b"0", b"0-0"] + [id for id in (self.id(), self.id()) if id != b"+"])

    def ids(self, most=5):
        return [self.id() for _ in range(self.rng.randrange(1, most))]

    # Words.

    def group(self):
        return self.rng.choice(GROUPS if self.rng.randrange(8) == 0 else GROUPS[:2])

    def consumer(self):
        return self.rng.choice(CONSUMERS if self.rng.randrange(4) == 0 else CONSUMERS[:3])

    def count(self):
        return [self.words.word(b"COUNT"), self.rng.choice([b"0", b"1", b"2", b"3", b"10", b"100", b"-1"])]

    def maybe(self, options, chance=3):
        return options if self.rng.randrange(chance) == 0 else []

    def idle(self):
        """Nothing has been idle for long but what was claimed with such a time."""
        return self.rng.choice([b"0", b"0", b"0", b"0", b"1000000", b"-1", b"9223372036854775807", b"x"])

    def fields(self):
        fields = []
        for _ in range(self.rng.choice([1, 1, 1, 2, 5])):
            fields += [self.words.value() if self.rng.randrange(5) == 0 else b"field", self.words.value()]
        return fields

    # Commands.

    def trim(self):
        rng = self.rng
        kind = rng.randrange(8)
        if kind < 4:
            return [self.words.word(b"MAXLEN")] + rng.choice([[], [b"="]]) + [
                b"%d" % rng.choice([0, 1, 2, 5, 10, 20, 50, 100, 200, 1000])]
        if kind < 6:
            return [self.words.word(b"MINID")] + rng.choice([[], [b"="]]) + [self.id()]
        approximate = rng.choice([
            [b"MAXLEN", b"~", b"0"], [b"MAXLEN", b"~", b"0", b"LIMIT", b"0"],
            [b"MAXLEN", b"~", b"1000000"], [b"MAXLEN", b"~", b"1000000", b"LIMIT", b"5"],
            [b"MINID", b"~", b"0"], [b"MINID", b"~", b"0", b"LIMIT", b"7"]])
        mistakes = [[b"MAXLEN", b"5", b"LIMIT", b"5"], [b"LIMIT", b"5"], [b"LIMIT", b"-1"], [b"LIMIT", b"0"],
                    [b"MAXLEN", b"-1"], [b"MAXLEN", b"=", b"x"], [b"MINID", b"x"], [b"MAXLEN"], [b"~", b"5"],
                    [b"MAXLEN", b"5", b"MINID", b"5"], [b"MAXLEN", b"~"], [b"LIMIT", b"x"],
                    [b"MAXLEN", b"5", b"LIMIT", b"0"]]
        return rng.choice([approximate, approximate, rng.choice(mistakes)])

    def add(self, key=None):
        command = [b"XADD", key or self.words.key()]
        command += self.maybe([self.words.word(b"NOMKSTREAM")], 10)
        command += self.maybe(self.trim(), 8)
        return command + [self.new_id()] + self.fields()

    def many(self):
        key = self.words.key()
        return [self.add(key) for _ in range(self.rng.randrange(2, 200))]

    def clock_ids(self):
        """A stream with ids of the servers' own, which are not compared."""
        key = self.words.key()
        return [[b"DEL", key], [b"XADD", key, b"*"] + self.fields(), [b"XADD", key, b"*"] + self.fields(),
                [b"XADD", key, b"NOMKSTREAM", b"MAXLEN", b"1", b"*"] + self.fields(), [b"XLEN", key],
                [b"DEL", key]]

    def range(self):
        rng = self.rng
        reverse = rng.randrange(2)
        edges = [self.edge(True), self.edge(False)]
        return [rng.choice([b"XREVRANGE" if reverse else b"XRANGE"]), self.words.key()] + (
            edges[::-1] if reverse else edges) + self.maybe(self.count(), 2)

    def block(self):
        return self.maybe([self.words.word(b"BLOCK"), self.rng.choice([b"1", b"1", b"1", b"-1", b"x", b"1.5"])], 25)

    def read(self):
        keys = self.words.keys()
        return [b"XREAD"] + self.maybe(self.count(), 2) + self.block() + [self.words.word(b"STREAMS")] + keys + [
            self.after() for _ in keys]

    def read_group(self):
        keys = self.words.keys(1, 3) if self.rng.randrange(4) == 0 else [self.words.key()]
        return ([b"XREADGROUP", self.words.word(b"GROUP"), self.group(), self.consumer()] +
                self.maybe(self.count(), 2) + self.block() + self.maybe([self.words.word(b"NOACK")], 6) +
                [self.words.word(b"STREAMS")] + keys +
                [self.rng.choice([b">", b">", b">", b"0", b"0", self.id()]) for _ in keys])

    def create_group(self):
        rng = self.rng
        command = [b"XGROUP", self.words.word(b"CREATE"), self.words.key(), self.group(),
                   rng.choice([b"$", b"0", b"0", self.id()])]
        command += self.maybe([self.words.word(b"MKSTREAM")], 2)
        return command + self.maybe(self.entries_read(), 4)

    def entries_read(self):
        return [self.words.word(b"ENTRIESREAD"),
                b"%d" % self.rng.choice([0, 1, 2, 3, 10, 100, -1, -2, 2**63 - 1])]

    def change_group(self):
        rng, word, key, group = self.rng, self.words.word, self.words.key(), self.group()
        return rng.choice([
            [b"XGROUP", word(b"SETID"), key, group, rng.choice([b"$", b"0", b"-", b"+", self.id()])] +
            self.maybe(self.entries_read(), 2),
            [b"XGROUP", word(b"CREATECONSUMER"), key, group, self.consumer()],
            [b"XGROUP", word(b"DELCONSUMER"), key, group, self.consumer()]])

    def claim(self):
        rng, word = self.rng, self.words.word
        command = [b"XCLAIM", self.words.key(), self.group(), self.consumer(), self.idle()] + self.ids(8)
        # Long ago, or near enough to now.
        for option in ([word(b"IDLE"), rng.choice([b"0", b"5000000", b"-5", b"9223372036854775807"])],
                       [word(b"TIME"), rng.choice([b"1", b"0", b"-1", b"4000000000000"])],
                       [word(b"RETRYCOUNT"), rng.choice([b"0", b"7", b"-1", b"9223372036854775807"])],
                       [word(b"FORCE")], [word(b"JUSTID")], [word(b"LASTID"), self.id()]):
            command += self.maybe(option, 4)
        return command

    def auto_claim(self):
        word = self.words.word
        return ([b"XAUTOCLAIM", self.words.key(), self.group(), self.consumer(), self.idle(), self.edge(True)] +
                self.maybe([word(b"COUNT"), self.rng.choice([b"1", b"2", b"5", b"100", b"0", b"-1", b"x"])], 2) +
                self.maybe([word(b"JUSTID")], 4))

    def pending(self):
        rng = self.rng
        command = [b"XPENDING", self.words.key(), self.group()]
        if rng.randrange(3) == 0:
            return command
        command += self.maybe([self.words.word(b"IDLE"), self.idle()], 4)
        command += [self.edge(True), self.edge(False), rng.choice([b"0", b"1", b"3", b"10", b"100", b"-1"])]
        return command + self.maybe([self.consumer()], 3)

    def info(self):
        rng, word, key = self.rng, self.words.word, self.words.key()
        return [b"XINFO"] + rng.choice([
            [word(b"STREAM"), key], [word(b"STREAM"), key, word(b"FULL")],
            [word(b"STREAM"), key, word(b"FULL"), word(b"COUNT"), rng.choice([b"0", b"1", b"5", b"-1"])],
            [word(b"GROUPS"), key], [word(b"GROUPS"), key], [word(b"CONSUMERS"), key, self.group()],
            [word(b"HELP")], [word(b"STREAM"), key, b"FULL", b"x"], [b"nosuch", key]])

    def set_id(self):
        rng = self.rng
        command = [b"XSETID", self.words.key(), self.id()]
        command += self.maybe([self.words.word(b"ENTRIESADDED"), b"%d" % rng.choice([0, 1, 5, 50, 500, -1])], 3)
        return command + self.maybe([self.words.word(b"MAXDELETEDID"), self.id()], 3)

    def makers(self):
        rng, words = self.rng, self.words
        return [
            (20, self.add),
            (0.4, self.many),
            (0.5, self.clock_ids),
            (4, lambda: [b"XTRIM", words.key()] + self.trim()),
            (5, lambda: [b"XDEL", words.key()] + self.ids()),
            (3, lambda: [b"XLEN", words.key()]),
            (8, self.range),
            (6, self.read),
            (18, self.read_group),
            (6, self.create_group),
            (5, self.change_group),
            (0.5, lambda: [b"XGROUP", b"DESTROY", words.key(), self.group()]),
            (0.2, lambda: [b"XGROUP", rng.choice([b"HELP", b"nosuch", b"CREATE"])] + words.keys(0, 2)),
            (8, lambda: [b"XACK", words.key(), self.group()] + self.ids()),
            (8, self.claim),
            (6, self.auto_claim),
            (8, self.pending),
            (10, self.info),
            (2, self.set_id),
            (0.3, lambda: [b"DEL", words.key()]),
        ]

    def junk(self, command):
        if command[0] == b"DEL" or b"*" in command or b"~" in command:
            return []
        if any(word.upper() == b"BLOCK" for word in command):
            return [b"x", b"-1", b"1.5", b""]  # nothing that waits for long
        # XAUTOCLAIM's COUNT is memory in Redis.
        return SMALL_JUNK if command[0] == b"XAUTOCLAIM" else JUNK

    def rules(self):
        return {
            b"XADD": lambda command, a, b, tolerance_ms: (
                same_type(command, a, b, tolerance_ms) if b"*" in command else a == b),
            b"XPENDING": times_close,
            b"XINFO": info_agrees,
        }


# A number that may be a time: nothing else of a stream's replies is as large.
LARGE = 10**12


def times_close(command, a, b, tolerance_ms):
    """Equal, but for times of delivery and how long ago they were."""
    if a[0] != b[0]:
        return False
    if a[0] in "*%" and a[1] is not None and b[1] is not None:
        if len(a[1]) != len(b[1]):
            return False
        # An entry of XPENDING: id, consumer, idle time, deliveries.
        if len(a[1]) == 4 and a[1][2][0] == ":" and a[1][0][0] == "$" and b[1][2][0] == ":":
            close = abs(int(a[1][2][1]) - int(b[1][2][1])) <= tolerance_ms
            return close and a[1][:2] + a[1][3:] == b[1][:2] + b[1][3:]
        return all(times_close(command, x, y, tolerance_ms) for x, y in zip(a[1], b[1]))
    if a[0] == ":" and int(a[1]) > LARGE:
        return abs(int(a[1]) - int(b[1])) <= tolerance_ms
    return a == b


def info_agrees(command, a, b, tolerance_ms):
    """XINFO: times may differ a little, and the tree of Redis's is another one."""
    if a[0] != b[0] or a[0] not in "*%" or a[1] is None or b[1] is None:
        return times_close(command, a, b, tolerance_ms)
    if len(a[1]) != len(b[1]):
        return False
    previous = None
    for x, y in zip(a[1], b[1]):
        if previous == b"idle":
            if abs(int(x[1]) - int(y[1])) > tolerance_ms:
                return False
        elif previous not in (b"radix-tree-keys", b"radix-tree-nodes"):
            if not info_agrees(command, x, y, tolerance_ms):
                return False
        previous = x[1] if x[0] == "$" else None
    return True
