"""Strings."""

from generators.words import KEYS, Group


class Strings(Group):
    name = "string"
    weight = 3

    def __init__(self, words):
        super().__init__(words)
        self.keys = KEYS

    def set(self):
        rng = self.rng
        command = [b"SET", self.words.key(), self.words.value()]
        for _ in range(rng.choice([0, 0, 0, 1, 1, 2, 3])):
            if rng.randrange(2):
                command += self.words.time_options()
            else:
                command.append(self.words.word(rng.choice([b"NX", b"XX", b"GET", b"KEEPTTL"])))
        return command

    def getex(self):
        command = [b"GETEX", self.words.key()]
        kind = self.rng.randrange(3)
        if kind == 1:
            command += self.words.time_options()
        elif kind == 2:
            command.append(self.words.word(b"PERSIST"))
        return command

    def mset(self, name):
        command = [name]
        for key in self.words.keys():
            command += [key, self.words.value()]
        return command

    def lcs(self):
        rng = self.rng
        command = [b"LCS", self.words.key(), self.words.key()]
        if rng.randrange(3) == 0:
            command.append(self.words.word(b"LEN"))
        if rng.randrange(2):
            command.append(self.words.word(b"IDX"))
            if rng.randrange(2):
                command += [self.words.word(b"MINMATCHLEN"), b"%d" % rng.randrange(-2, 6)]
            if rng.randrange(2):
                command.append(self.words.word(b"WITHMATCHLEN"))
        return command

    def makers(self):
        rng, words = self.rng, self.words
        return [
            (30, self.set),
            (20, lambda: [b"GET", words.key()]),
            (8, self.getex),
            (3, lambda: [b"GETDEL", words.key()]),
            (4, lambda: [b"GETSET", words.key(), words.value()]),
            (5, lambda: [b"MGET"] + self.words.keys()),
            (4, lambda: self.mset(b"MSET")),
            (4, lambda: self.mset(b"MSETNX")),
            (4, lambda: [b"SETNX", words.key(), words.value()]),
            (3, lambda: [b"SETEX", words.key(), self.words.time(b"EX"), words.value()]),
            (3, lambda: [b"PSETEX", words.key(), self.words.time(b"PX"), words.value()]),
            (8, lambda: [b"APPEND", words.key(), words.value()]),
            (5, lambda: [b"STRLEN", words.key()]),
            (6, lambda: [b"SETRANGE", words.key(), b"%d" % rng.randrange(-2, 80), words.value()]),
            (6, lambda: [rng.choice([b"GETRANGE", b"SUBSTR"]), words.key(), b"%d" % rng.randrange(-60, 60),
                         b"%d" % rng.randrange(-60, 60)]),
            (6, lambda: [rng.choice([b"INCR", b"DECR"]), words.key()]),
            (8, lambda: [rng.choice([b"INCRBY", b"DECRBY"]), words.key(), self.words.integer()]),
            (5, lambda: [b"INCRBYFLOAT", words.key(), b"%.*f" % (rng.randrange(8), rng.uniform(-99, 99))]),
            (1, lambda: [b"INCRBYFLOAT", words.key(), b"%.3e" % (rng.uniform(-9, 9) * 10.0**rng.randrange(-20, 25))]),
            (4, self.lcs),
        ]
