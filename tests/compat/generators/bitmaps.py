"""Bitmaps."""

from generators.words import JUNK, KEYS, Group


class Bitmaps(Group):
    name = "bitmap"
    weight = 1

    def __init__(self, words):
        super().__init__(words)
        self.keys = KEYS

    def junk(self, command):
        # As the offset of a bit this one would make a string of 64 MB.
        return [text for text in JUNK if text != b"536870912"]

    def bit(self):
        return b"%d" % self.rng.choice([0, 1])

    def bit_offset(self):
        return b"%d" % self.rng.choice([self.rng.randrange(-2, 40), self.rng.randrange(700)])

    def bit_range(self, name, *args):
        rng = self.rng
        command = [name, self.words.key(), *args]
        unit = rng.choice([None, None, b"BYTE", b"BIT"])
        span = 400 if unit == b"BIT" else 60
        for _ in range(rng.choice([0, 1, 2, 2]) if unit is None else 2):
            command.append(b"%d" % rng.randrange(-span, span))
        if unit is not None:
            command.append(self.words.word(unit))
        return command

    def bitop(self):
        operation = self.rng.choice([b"AND", b"OR", b"XOR", b"NOT"])
        return [b"BITOP", self.words.word(operation), self.words.key()] + self.words.keys(
            most=1 if operation == b"NOT" else 4)

    def bitfield(self):
        rng = self.rng
        read_only = rng.randrange(4) == 0
        command = [b"BITFIELD_RO" if read_only else b"BITFIELD", self.words.key()]
        for _ in range(rng.choice([0, 1, 1, 1, 2, 4])):
            kind = b"GET" if read_only else rng.choice([b"GET", b"SET", b"INCRBY", b"OVERFLOW"])
            command.append(self.words.word(kind))
            if kind == b"OVERFLOW":
                command.append(self.words.word(rng.choice([b"WRAP", b"SAT", b"FAIL"])))
                continue
            bits = rng.choice([1, 2, 7, 8, 9, 16, 31, 32, 33, 62, 63, 64, rng.randrange(1, 65)])
            sign = b"i" if bits == 64 else rng.choice([b"i", b"u"])
            command.append(b"%c%d" % (sign, bits))
            command.append(b"#%d" % rng.randrange(-1, 10) if rng.randrange(3) == 0
                           else self.bit_offset())
            if kind != b"GET":
                near = rng.choice([-1, 1]) * (1 << bits - 1) + rng.randrange(-2, 3)
                command.append(rng.choice([
                    self.words.integer(), b"%d" % max(-2**63, min(2**63 - 1, near)),
                    b"9223372036854775807", b"-9223372036854775808"]))
        return command

    def makers(self):
        rng, words = self.rng, self.words
        return [
            (8, lambda: [b"SETBIT", words.key(), self.bit_offset(), self.bit()]),
            (5, lambda: [b"GETBIT", words.key(), self.bit_offset()]),
            (6, lambda: self.bit_range(b"BITCOUNT")),
            (8, lambda: self.bit_range(b"BITPOS", self.bit())),
            (5, self.bitop),
            (12, self.bitfield),
        ]
