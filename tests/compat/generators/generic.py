"""Keys of any type."""

import re

from generators.words import (DATABASES, JUNK, PATTERNS, Group, same_type, times_agree, unordered,
                              without_order)

OBJECT_LINE = re.compile(rb"Value at:0x[0-9a-f]+ refcount:[0-9]+ encoding:([a-z]+) "
                         rb"serializedlength:[0-9]+ lru:[0-9]+ lru_seconds_idle:[0-9]+")


def encodings_agree(a, b):
    """In Redis SORT and SORT_RO leave every sorted set that they read with the larger encoding."""
    return a == b or (a, b) == (b"skiplist", b"listpack")


def seconds_agree(command, a, b, tolerance_ms):
    return times_agree(a, b, tolerance_ms, 1000)


def milliseconds_agree(command, a, b, tolerance_ms):
    return times_agree(a, b, tolerance_ms, 1)


class Generic(Group):
    name = "generic"
    weight = 1

    def __init__(self, words):
        super().__init__(words)
        self.keys = words.all_keys

    def junk(self, command):
        # A part of an iteration, which each server cuts in its own way.
        if command[0] == b"SCAN":
            return []
        # Other subcommands of DEBUG do what no client should.
        return [] if command[0] == b"DEBUG" else JUNK

    def rules(self):
        return {
            b"OBJECT": self.object_agrees,
            b"DEBUG": self.debug_agrees,
            b"MEMORY": same_type,
            b"TTL": seconds_agree, b"EXPIRETIME": seconds_agree,
            b"PTTL": milliseconds_agree, b"PEXPIRETIME": milliseconds_agree,
            b"KEYS": unordered,
            b"SCAN": self.scan_agrees,
            b"RANDOMKEY": lambda command, a, b, tolerance_ms: (
                (a[1] is None) == (b[1] is None) if a[0] == b[0] == "$" else a == b),
        }

    @staticmethod
    def object_agrees(command, a, b, tolerance_ms):
        if len(command) > 1 and command[1].upper() in (b"IDLETIME", b"REFCOUNT"):
            return a[0] == b[0] and (a[0] == ":" or a == b)
        return a == b or encodings_agree(a[1], b[1])

    @staticmethod
    def debug_agrees(command, a, b, tolerance_ms):
        """Digests of values are equal, lines about objects in their shape and encoding."""
        if a[0] != "+" or b[0] != "+":
            return a == b
        lines = [OBJECT_LINE.match(reply[1]) for reply in (a, b)]
        return all(lines) and encodings_agree(lines[0][1], lines[1][1])

    @staticmethod
    def scan_agrees(command, a, b, tolerance_ms):
        # Only calls that go through everything at once are sent in batches.
        if a[0] != "*" or b[0] != "*":
            return a == b
        return a[1][0] == b[1][0] and without_order(a[1][1]) == without_order(b[1][1])

    def expire(self):
        rng = self.rng
        name, unit = rng.choice([(b"EXPIRE", b"EX"), (b"PEXPIRE", b"PX"), (b"EXPIREAT", b"EXAT"),
                                 (b"PEXPIREAT", b"PXAT")])
        command = [name, self.words.key(), self.words.time(unit)]
        for _ in range(rng.choice([0, 0, 0, 1, 1, 2])):
            command.append(self.words.word(rng.choice([b"NX", b"XX", b"GT", b"LT", b"LT"])))
        return command

    def copy(self):
        rng = self.rng
        command = [b"COPY", self.words.key(), self.words.key()]
        if rng.randrange(3) == 0:
            command += [self.words.word(b"DB"), b"%d" % rng.randrange(DATABASES)]
        if rng.randrange(2):
            command.append(self.words.word(b"REPLACE"))
        return command

    def scan_whole(self):
        rng = self.rng
        command = [b"SCAN", b"0", self.words.word(b"COUNT"), b"100000"]
        if rng.randrange(2):
            command += [self.words.word(b"MATCH"), rng.choice(PATTERNS)]
        if rng.randrange(3) == 0:
            command += [self.words.word(b"TYPE"), rng.choice(
                [b"string", b"STRING", b"list", b"SET", b"zset", b"hash", b"stream", b"nosuch"])]
        return command

    def object(self):
        return [b"OBJECT", self.words.word(self.rng.choice(
            [b"ENCODING", b"ENCODING", b"ENCODING", b"REFCOUNT", b"IDLETIME", b"FREQ"])), self.words.key()]

    def inspect(self):
        rng, words = self.rng, self.words
        return rng.choice([[b"DEBUG", words.word(b"DIGEST-VALUE")] + words.keys(0, 3),
                           [b"DEBUG", words.word(b"OBJECT"), words.key()],
                           [b"MEMORY", words.word(b"USAGE"), words.key()]
                           + rng.choice([[], [words.word(b"SAMPLES"), b"%d" % rng.randrange(-1, 9)]])])

    def makers(self):
        rng, words = self.rng, self.words
        return [
            (6, self.inspect),
            (5, lambda: [rng.choice([b"DEL", b"UNLINK"])] + self.words.keys()),
            (4, lambda: [rng.choice([b"EXISTS", b"TOUCH"])] + self.words.keys()),
            (3, lambda: [b"TYPE", words.key()]),
            (12, self.expire),
            (10, lambda: [rng.choice([b"TTL", b"PTTL", b"EXPIRETIME", b"PEXPIRETIME"]), words.key()]),
            (3, lambda: [b"PERSIST", words.key()]),
            (4, lambda: [rng.choice([b"RENAME", b"RENAMENX"]), words.key(), words.key()]),
            (5, self.copy),
            (3, lambda: [b"MOVE", words.key(), b"%d" % rng.randrange(DATABASES)]),
            (2, lambda: [b"KEYS", rng.choice(PATTERNS)]),
            (3, self.scan_whole),
            (1, lambda: [b"RANDOMKEY"]),
            (3, lambda: [b"DBSIZE"]),
            (8, self.object),
            (0.3, lambda: [b"SWAPDB", b"%d" % rng.randrange(DATABASES), b"%d" % rng.randrange(DATABASES)]),
            (0.2, lambda: [b"FLUSHDB"] + rng.choice([[], [b"ASYNC"], [b"sync"]])),
            (0.1, lambda: [b"FLUSHALL"] + rng.choice([[], [b"async"], [b"SYNC"]])),
            (0.2, lambda: [b"OBJECT", b"HELP"]),
            (1, lambda: [rng.choice([b"NOSUCHCOMMAND", b"GETT", b"\xff", b"", b"OBJECT"])] + words.keys(0, 3)),
            (1, lambda: [b"OBJECT", rng.choice([b"NOSUCH", b"ENCODING", b"HELP", b""])] + words.keys(0, 2)),
            (1, lambda: [b"SCAN", rng.choice([b"x", b"-", b"1x", b" 1", b"18446744073709551616", b"\t0"])]),
            (1, lambda: [b"SCAN", b"0", b"COUNT", rng.choice([b"0", b"-1", b"x", b"", b"1.5"])]),
        ]
