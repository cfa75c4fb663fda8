"""HyperLogLogs."""

from generators.words import KEYS, Group

# HyperLogLogs live under names of their own: Redis keeps the last count in the value and metaStore
# does not, which commands for strings would show.
HLL_KEYS = [b"hll%d" % i for i in range(6)]
HLL_COPY = b"hll copy"
# Headers and registers that are wrong in some way, and two that are not.
HLL_VALUES = [b"", b"HYLL", b"12345", b"HYLL" + b"\0" * 12, b"HYLL\x02" + b"\0" * 60,
              b"HYLL\0\0\0" + b"\0" * 8 + b"\0" * 12288, b"hyll\x01" + b"\0" * 10 + b"\x80\x7f\xff",
              b"HYLL\x01" + b"\0" * 10 + b"\x80", b"HYLL\x01" + b"\0" * 10 + b"\x80\x7f\xfe",
              b"HYLL\x01" + b"\0" * 10 + b"\x80\x7f\xff\x00", b"HYLL\x01\0\0\0\x39\x30" + b"\0" * 6,
              b"HYLL\x01\0\0\0\x39\x30" + b"\0" * 6 + b"\x7f\xff" + b"\x88" * 40,
              b"HYLL\0\0\0\0\x39\x30" + b"\0" * 6 + b"\x41\x20\x0c" * 4096,
              b"HYLL\x01\0\0\0\x39\x30" + b"\0" * 6 + b"\x00" * 80 + b"\x7f\xaf"]


class Hyperloglogs(Group):
    name = "hyperloglog"
    weight = 1

    def __init__(self, words):
        super().__init__(words)
        self.keys = KEYS

    def junk(self, command):
        return []  # mistakes are among the commands

    def hll_key(self):
        """To read: one of the others in a while."""
        return self.words.key() if self.rng.randrange(20) == 0 else self.rng.choice(HLL_KEYS)

    def hll_keys(self, least, most):
        return [self.hll_key() for _ in range(self.rng.randrange(least, most + 1))]

    def pfadd(self):
        rng = self.rng
        if rng.randrange(30) == 0:
            first = rng.randrange(100000)
            elements = [b"%d" % i for i in range(first, first + rng.choice([100, 1000, 3000]))]
        else:
            elements = [self.words.value() for _ in range(rng.randrange(5))]
        return [b"PFADD", rng.choice(HLL_KEYS)] + elements

    def pfcount(self):
        """Of one key Redis would keep the count, so a copy is counted."""
        if self.rng.randrange(2):
            return [[b"PFCOUNT"] + self.hll_keys(2, 4)]
        source = self.rng.choice(HLL_KEYS)
        count = [b"PFCOUNT", HLL_COPY]
        return [[b"COPY", source, HLL_COPY], [b"GET", HLL_COPY], count, count,
                [b"PFADD", HLL_COPY, self.words.value()], count, [b"DEL", HLL_COPY]]

    def hll_value(self):
        """A string that claims to be one goes through all commands and away."""
        rng = self.rng
        value = [b"SET", HLL_COPY, rng.choice(HLL_VALUES)]
        tries = [[b"PFADD", HLL_COPY], [b"PFCOUNT", HLL_COPY],
                 [b"PFCOUNT", HLL_COPY, rng.choice(HLL_KEYS)], [b"PFMERGE", HLL_COPY],
                 [b"PFDEBUG", b"ENCODING", HLL_COPY], [b"PFMERGE", HLL_KEYS[0], HLL_COPY],
                 [b"PFADD", HLL_COPY, self.words.value()], [b"PFDEBUG", b"GETREG", HLL_COPY]]
        rng.shuffle(tries)
        return [value] + tries + [[b"DEL", HLL_COPY]]

    def commands(self):
        rng = self.rng
        key = self.hll_key
        return rng.choices(
            [lambda: [self.pfadd()], self.pfcount, lambda: [[b"PFMERGE", rng.choice(HLL_KEYS)] + self.hll_keys(0, 3)],
             lambda: [[b"GET", rng.choice(HLL_KEYS)], [b"OBJECT", b"ENCODING", rng.choice(HLL_KEYS)]],
             lambda: [[b"DEL", rng.choice(HLL_KEYS)]],
             lambda: [[b"RENAME", rng.choice(HLL_KEYS), rng.choice(HLL_KEYS)]],
             lambda: [[b"EXPIRE", rng.choice(HLL_KEYS), self.words.time(b"EX")], [b"TTL", rng.choice(HLL_KEYS)]],
             lambda: [[b"PFDEBUG", self.words.word(rng.choice(
                 [b"DECODE", b"DECODE", b"ENCODING", b"GETREG", b"TODENSE", b"NOSUCH"])), key()]],
             self.hll_value,
             lambda: [rng.choice([[b"PFADD"], [b"PFCOUNT"], [b"PFMERGE"], [b"PFDEBUG", b"DECODE"],
                                  [b"PFDEBUG", b"DECODE", key(), b"x"], [b"PFSELFTEST", b"x"]])]],
            [40, 15, 8, 10, 3, 2, 2, 4, 6, 1])[0]()
