"""Lists, with blocking commands whose timeouts are a millisecond."""

from generators.words import JUNK, Group

# Past what both servers hold in one piece.
MANY = 400
# An element that is somewhere in the middle, more often than others.
MARK = b"mark"
# A timeout that the reference waits for. No mistake may make it a longer one.
TIMEOUT = b"0.001"
NO_TIMEOUTS = [b"", b"abc", b"-1", b" 1", b"1 ", b"inf", b"-inf", b"nan", b"-9223372036854775808",
               b"1e30", b"#1", b"LEFT", b"COUNT", b"\x00", b"a" * 150, b"\r\n"]


class Lists(Group):
    name = "list"
    weight = 3

    def junk(self, command):
        return NO_TIMEOUTS if command[0].startswith(b"B") else JUNK

    def element(self):
        kind = self.rng.randrange(20)
        return self.words.value() if kind == 0 else MARK if kind < 3 else b"e%d" % self.rng.randrange(9)

    def elements(self, most=5):
        return [self.element() for _ in range(self.rng.randrange(1, most + 1))]

    def index(self):
        span = self.rng.choice([3, 20, MANY, 3 * MANY])
        return b"%d" % self.rng.randrange(-span, span)

    def count(self):
        return b"%d" % self.rng.choice([0, 1, 1, 2, 3, 10, 150])

    def end(self):
        return self.words.word(self.rng.choice([b"LEFT", b"RIGHT"]))

    def fill(self):
        """A list that is spread, and perhaps edited in its middle."""
        rng = self.rng
        key = self.words.key()
        elements = [b"e%d" % rng.randrange(40) for _ in range(rng.randrange(100, MANY))]
        elements[rng.randrange(len(elements))] = MARK
        made = [[rng.choice([b"RPUSH", b"LPUSH"]), key] + elements]
        for _ in range(rng.randrange(4)):
            pivot = rng.choice([MARK, b"e%d" % rng.randrange(40)])
            made.append([b"LINSERT", key, rng.choice([b"BEFORE", b"AFTER"]), pivot, self.element()])
        return made + [[b"LRANGE", key, b"0", b"-1"]]

    def edits(self):
        """Insertions at one place."""
        key, pivot = self.words.key(), self.rng.choice([MARK, self.element()])
        where = self.rng.choice([b"BEFORE", b"AFTER"])
        made = [[b"LINSERT", key, where, pivot, self.element()] for _ in range(self.rng.randrange(1, 30))]
        return made + [[b"LRANGE", key, b"0", b"-1"]]

    def shrink(self):
        rng = self.rng
        key = self.words.key()
        cut = rng.choice([[b"DEL", key], [b"LTRIM", key, b"%d" % rng.randrange(9), self.index()],
                          [b"LTRIM", key, b"-%d" % rng.randrange(1, 200), b"-1"],
                          [b"LPOP", key, b"%d" % rng.randrange(300)]])
        return [cut, [b"LRANGE", key, b"0", b"-1"]]

    def lpos(self):
        rng = self.rng
        command = [b"LPOS", self.words.key(), self.element()]
        options = [b"RANK", b"COUNT", b"MAXLEN"]
        rng.shuffle(options)
        for option in options[:rng.choice([0, 1, 1, 2, 3])]:
            value = rng.randrange(-4, 5) if option == b"RANK" else rng.choice([0, 1, 2, 5, 50, -1])
            command += [self.words.word(option), b"%d" % value]
        return command

    def lmpop(self):
        rng = self.rng
        keys = self.words.keys(most=3)
        count = len(keys) if rng.randrange(12) else rng.randrange(-1, 5)
        command = [b"%d" % count] + keys + [self.end()]
        if rng.randrange(2):
            command += [self.words.word(b"COUNT"), self.count()]
        return command

    def blocking(self):
        rng, words = self.rng, self.words
        return rng.choice([
            lambda: [rng.choice([b"BLPOP", b"BRPOP"])] + words.keys() + [TIMEOUT],
            lambda: [b"BLMOVE", words.key(), words.key(), self.end(), self.end(), TIMEOUT],
            lambda: [b"BRPOPLPUSH", words.key(), words.key(), TIMEOUT],
            lambda: [b"BLMPOP", TIMEOUT] + self.lmpop()])()

    def makers(self):
        rng, words = self.rng, self.words
        return [
            (12, lambda: [rng.choice([b"LPUSH", b"RPUSH"]), words.key()] + self.elements()),
            (4, lambda: [rng.choice([b"LPUSHX", b"RPUSHX"]), words.key()] + self.elements()),
            (5, self.fill),
            (3, self.edits),
            (6, self.shrink),
            (8, lambda: [rng.choice([b"LPOP", b"RPOP"]), words.key()]),
            (6, lambda: [rng.choice([b"LPOP", b"RPOP"]), words.key(), self.count()]),
            (3, lambda: [b"LLEN", words.key()]),
            (10, lambda: [b"LINDEX", words.key(), self.index()]),
            (10, lambda: [b"LSET", words.key(), self.index(), self.element()]),
            (10, lambda: [b"LINSERT", words.key(), words.word(rng.choice([b"BEFORE", b"AFTER"])),
                          self.element(), self.element()]),
            (10, lambda: [b"LRANGE", words.key(), self.index(), self.index()]),
            (8, lambda: [b"LREM", words.key(), b"%d" % rng.choice([0, 1, -1, 2, -2, 5]), self.element()]),
            (3, lambda: [b"LTRIM", words.key(), self.index(), self.index()]),
            (8, self.lpos),
            (6, lambda: [b"LMOVE", words.key(), words.key(), self.end(), self.end()]),
            (4, lambda: [b"RPOPLPUSH", words.key(), words.key()]),
            (5, lambda: [b"LMPOP"] + self.lmpop()),
            (2, self.blocking),
        ]
