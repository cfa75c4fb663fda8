#!/usr/bin/env python3
"""Sends the same random commands to a reference redis-server and to metaStore and compares replies.

    tests/compat/differential.py 127.0.0.1:6400 127.0.0.1:6379 --commands 100000 --seed 7

Both servers are flushed first. Commands of the string, bitmap, hyperloglog and generic groups, valid
and not, go pipelined over a RESP2 and a RESP3 connection in several databases. Replies must be equal byte for
byte after decoding, with these exceptions: KEYS and SCAN have no order, times may differ by
--tolerance-ms, RANDOMKEY must only agree on whether there is a key, and OBJECT IDLETIME and
REFCOUNT on the type of the reply. Errors that quote an argument with control bytes are compared
up to the quote: Redis cuts such an argument at its first zero byte.

The exit code is 0 when no reply differed, 1 when one did, 2 when a server could not be used. The
seed is printed and replays the commands.
"""

import argparse
import random
import re
import socket
import sys
import time
from collections import deque

DATABASES = 4
MAX_BATCH = 40
HISTORY = 4000       # commands kept to explain a difference
SHOWN_HISTORY = 25   # of those, commands of the same key
EXPIRY_WAIT_S = 10   # for both servers to delete keys that expired


class Failure(Exception):
    """A server that cannot be compared any further."""


class Connection:
    def __init__(self, address, name):
        host, port = address.rsplit(":", 1)
        self.name = name
        self.socket = socket.create_connection((host, int(port)), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb")

    def send(self, commands):
        out = bytearray()
        for command in commands:
            out += b"*%d\r\n" % len(command)
            for arg in command:
                out += b"$%d\r\n%s\r\n" % (len(arg), arg)
        self.socket.sendall(out)

    def read(self):
        """A reply as (type, value): aggregates hold a tuple of replies."""
        line = self.reader.readline()
        if not line.endswith(b"\r\n"):
            raise Failure(f"{self.name} closed the connection")
        kind, rest = chr(line[0]), line[1:-2]
        if kind in "+-:,#(":
            return kind, rest
        if kind == "_":
            return kind, None
        if kind in "$=!":
            size = int(rest)
            if size < 0:
                return kind, None
            data = self.reader.read(size + 2)
            if len(data) != size + 2:
                raise Failure(f"{self.name} closed the connection within a reply")
            return kind, data[:-2]
        if kind in "*~>%":
            count = int(rest)
            if count < 0:
                return kind, None
            return kind, tuple(self.read() for _ in range(count * (2 if kind == "%" else 1)))
        raise Failure(f"{self.name} sent a reply of no known type: {line!r}")

    def call(self, *args):
        self.send([[a if isinstance(a, bytes) else str(a).encode() for a in args]])
        return self.read()


class Pair:
    """A connection to each server, in the same protocol and database."""

    def __init__(self, addresses, protocol):
        self.protocol = protocol
        self.db = 0
        self.connections = [Connection(address, name)
                            for address, name in zip(addresses, ("reference", "tested"))]
        if protocol == 3:
            for connection in self.connections:
                kind, _ = connection.call("HELLO", "3")
                if kind != "%":
                    raise Failure(f"{connection.name} does not speak RESP3")

    def call(self, *args):
        return [connection.call(*args) for connection in self.connections]

    def run(self, commands):
        for connection in self.connections:
            connection.send(commands)
        replies = [[connection.read() for _ in commands] for connection in self.connections]
        return list(zip(*replies))


def times_agree(a, b, tolerance_ms, unit_ms):
    if a[0] != ":" or b[0] != ":":
        return a == b
    x, y = int(a[1]), int(b[1])
    if x < 0 or y < 0:
        return x == y
    return abs(x - y) * unit_ms <= tolerance_ms + (unit_ms if unit_ms > 1 else 0)


def without_order(reply):
    if reply[0] != "*" or reply[1] is None:
        return reply
    return reply[0], tuple(sorted(reply[1], key=repr))


def before_quote(reply):
    return re.split(rb"'|Unsupported option", reply[1])[0]


def agree(command, a, b, tolerance_ms):
    name = command[0].upper()
    if a[0] == "-" and b[0] == "-" and any(byte < 32 or byte == 127 for arg in command for byte in arg):
        return before_quote(a) == before_quote(b)
    if name == b"OBJECT" and len(command) > 1:
        if command[1].upper() in (b"IDLETIME", b"REFCOUNT"):
            return a[0] == b[0] and (a[0] == ":" or a == b)
    if name in (b"TTL", b"EXPIRETIME"):
        return times_agree(a, b, tolerance_ms, 1000)
    if name in (b"PTTL", b"PEXPIRETIME"):
        return times_agree(a, b, tolerance_ms, 1)
    if name == b"KEYS":
        return without_order(a) == without_order(b)
    if name == b"SCAN" and a[0] == "*" and b[0] == "*":
        # Only calls that go through everything at once are sent in batches.
        return a[1][0] == b[1][0] and without_order(a[1][1]) == without_order(b[1][1])
    if name == b"RANDOMKEY" and a[0] == "$" and b[0] == "$":
        return (a[1] is None) == (b[1] is None)
    return a == b


KEYS = ([b"k%d" % i for i in range(16)] + [b"{tag}%d" % i for i in range(6)] +
        [b"", b"a b", b"\x00\xff\r\n", b"glob*[x]", b"n" * 200])
# No number here may make a key expire within the run, or a string of hundreds of megabytes.
JUNK = [b"", b"abc", b"0", b"-1", b"-0", b"+1", b"01", b" 1", b"1 ", b"1.5", b"1e3", b"0x10", b"inf",
        b"-inf", b"nan", b"9223372036854775807", b"-9223372036854775808", b"9223372036854775808",
        b"18446744073709551616", b"536870912", b"9223372036854776", b"-9223372036854776",
        b"4294967296", b"#1", b"BIT", b"u8", b"i65", b"FAIL", b"NX", b"XX", b"GET", b"EX", b"KEEPTTL", b"\x00", b"a" * 150, b"\r\n"]
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
PATTERNS = [b"*", b"k*", b"?1", b"k[0-4]", b"{tag}*", b"", b"nothing", b"glob\\*\\[x\\]", b"*1*",
            b"[^k]*", b"k1", b"[k", b"\\"]


class Generator:
    def __init__(self, rng):
        self.rng = rng

    def key(self):
        return self.rng.choice(KEYS)

    def integer(self):
        rng = self.rng
        return b"%d" % rng.choice([rng.randrange(-20, 20), rng.randrange(-10**6, 10**6),
                                   rng.randrange(9990, 10010), rng.randrange(-2**63, 2**63)])

    def value(self):
        rng = self.rng
        kind = rng.randrange(10)
        if kind < 4:
            return self.integer()
        if kind < 5:
            return b"%.*f" % (rng.randrange(6), rng.uniform(-1000, 1000))
        if kind < 6:
            return bytes(rng.randrange(256) for _ in range(rng.randrange(60)))
        if kind < 7:
            return b"x" * rng.choice([0, 1, 20, 21, 43, 44, 45, 300])
        if kind == 7 and rng.randrange(100) == 0:
            return b"y" * 20000
        return bytes(rng.choice(b"abc") for _ in range(rng.randrange(50)))

    def time(self, unit):
        """Far enough ahead that nothing expires within the run, or refused, or in the past."""
        rng = self.rng
        if rng.randrange(12) == 0:
            return rng.choice(JUNK)
        seconds = rng.randrange(1000, 10**7)
        if unit in (b"EXAT", b"PXAT"):
            seconds = rng.choice([seconds, 1_900_000_000 + seconds, 4_000_000_000 + seconds])
        return b"%d" % (seconds if unit in (b"EX", b"EXAT") else seconds * 1000 + rng.randrange(1000))

    def word(self, text):
        """A keyword in some case."""
        kind = self.rng.randrange(3)
        return text if kind == 0 else text.lower() if kind == 1 else bytes(
            self.rng.choice([c, c ^ 32]) if chr(c).isalpha() else c for c in text)

    def time_options(self):
        unit = self.rng.choice([b"EX", b"PX", b"EXAT", b"PXAT"])
        return [self.word(unit), self.time(unit)]

    def set(self):
        rng = self.rng
        command = [b"SET", self.key(), self.value()]
        for _ in range(rng.choice([0, 0, 0, 1, 1, 2, 3])):
            if rng.randrange(2):
                command += self.time_options()
            else:
                command.append(self.word(rng.choice([b"NX", b"XX", b"GET", b"KEEPTTL"])))
        return command

    def getex(self):
        command = [b"GETEX", self.key()]
        kind = self.rng.randrange(3)
        if kind == 1:
            command += self.time_options()
        elif kind == 2:
            command.append(self.word(b"PERSIST"))
        return command

    def expire(self):
        rng = self.rng
        name, unit = rng.choice([(b"EXPIRE", b"EX"), (b"PEXPIRE", b"PX"), (b"EXPIREAT", b"EXAT"),
                                 (b"PEXPIREAT", b"PXAT")])
        command = [name, self.key(), self.time(unit)]
        for _ in range(rng.choice([0, 0, 0, 1, 1, 2])):
            command.append(self.word(rng.choice([b"NX", b"XX", b"GT", b"LT", b"LT"])))
        return command

    def keys(self, least=1, most=4):
        return [self.key() for _ in range(self.rng.randrange(least, most + 1))]

    def mset(self, name):
        command = [name]
        for key in self.keys():
            command += [key, self.value()]
        return command

    def copy(self):
        rng = self.rng
        command = [b"COPY", self.key(), self.key()]
        if rng.randrange(3) == 0:
            command += [self.word(b"DB"), b"%d" % rng.randrange(DATABASES)]
        if rng.randrange(2):
            command.append(self.word(b"REPLACE"))
        return command

    def lcs(self):
        rng = self.rng
        command = [b"LCS", self.key(), self.key()]
        if rng.randrange(3) == 0:
            command.append(self.word(b"LEN"))
        if rng.randrange(2):
            command.append(self.word(b"IDX"))
            if rng.randrange(2):
                command += [self.word(b"MINMATCHLEN"), b"%d" % rng.randrange(-2, 6)]
            if rng.randrange(2):
                command.append(self.word(b"WITHMATCHLEN"))
        return command

    def bit(self):
        return b"%d" % self.rng.choice([0, 1])

    def bit_offset(self):
        return b"%d" % self.rng.choice([self.rng.randrange(-2, 40), self.rng.randrange(700)])

    def bit_range(self, name, *args):
        rng = self.rng
        command = [name, self.key(), *args]
        unit = rng.choice([None, None, b"BYTE", b"BIT"])
        span = 400 if unit == b"BIT" else 60
        for _ in range(rng.choice([0, 1, 2, 2]) if unit is None else 2):
            command.append(b"%d" % rng.randrange(-span, span))
        if unit is not None:
            command.append(self.word(unit))
        return command

    def bitop(self):
        operation = self.rng.choice([b"AND", b"OR", b"XOR", b"NOT"])
        return [b"BITOP", self.word(operation), self.key()] + self.keys(
            most=1 if operation == b"NOT" else 4)

    def bitfield(self):
        rng = self.rng
        read_only = rng.randrange(4) == 0
        command = [b"BITFIELD_RO" if read_only else b"BITFIELD", self.key()]
        for _ in range(rng.choice([0, 1, 1, 1, 2, 4])):
            kind = b"GET" if read_only else rng.choice([b"GET", b"SET", b"INCRBY", b"OVERFLOW"])
            command.append(self.word(kind))
            if kind == b"OVERFLOW":
                command.append(self.word(rng.choice([b"WRAP", b"SAT", b"FAIL"])))
                continue
            bits = rng.choice([1, 2, 7, 8, 9, 16, 31, 32, 33, 62, 63, 64, rng.randrange(1, 65)])
            sign = b"i" if bits == 64 else rng.choice([b"i", b"u"])
            command.append(b"%c%d" % (sign, bits))
            command.append(b"#%d" % rng.randrange(-1, 10) if rng.randrange(3) == 0
                           else self.bit_offset())
            if kind != b"GET":
                near = rng.choice([-1, 1]) * (1 << bits - 1) + rng.randrange(-2, 3)
                command.append(rng.choice([
                    self.integer(), b"%d" % max(-2**63, min(2**63 - 1, near)),
                    b"9223372036854775807", b"-9223372036854775808"]))
        return command

    def hll_key(self):
        """To read: one of the others in a while."""
        return self.key() if self.rng.randrange(20) == 0 else self.rng.choice(HLL_KEYS)

    def hll_keys(self, least, most):
        return [self.hll_key() for _ in range(self.rng.randrange(least, most + 1))]

    def pfadd(self):
        rng = self.rng
        if rng.randrange(30) == 0:
            first = rng.randrange(100000)
            elements = [b"%d" % i for i in range(first, first + rng.choice([100, 1000, 3000]))]
        else:
            elements = [self.value() for _ in range(rng.randrange(5))]
        return [b"PFADD", rng.choice(HLL_KEYS)] + elements

    def pfcount(self):
        """Of one key Redis would keep the count, so a copy is counted."""
        if self.rng.randrange(2):
            return [[b"PFCOUNT"] + self.hll_keys(2, 4)]
        source = self.rng.choice(HLL_KEYS)
        count = [b"PFCOUNT", HLL_COPY]
        return [[b"COPY", source, HLL_COPY], [b"GET", HLL_COPY], count, count,
                [b"PFADD", HLL_COPY, self.value()], count, [b"DEL", HLL_COPY]]

    def hll_value(self):
        """A string that claims to be one goes through all commands and away."""
        rng = self.rng
        value = [b"SET", HLL_COPY, rng.choice(HLL_VALUES)]
        tries = [[b"PFADD", HLL_COPY], [b"PFCOUNT", HLL_COPY],
                 [b"PFCOUNT", HLL_COPY, rng.choice(HLL_KEYS)], [b"PFMERGE", HLL_COPY],
                 [b"PFDEBUG", b"ENCODING", HLL_COPY], [b"PFMERGE", HLL_KEYS[0], HLL_COPY],
                 [b"PFADD", HLL_COPY, self.value()], [b"PFDEBUG", b"GETREG", HLL_COPY]]
        rng.shuffle(tries)
        return [value] + tries + [[b"DEL", HLL_COPY]]

    def hyperloglog(self):
        rng = self.rng
        key = self.hll_key
        return rng.choices(
            [lambda: [self.pfadd()], self.pfcount, lambda: [[b"PFMERGE", rng.choice(HLL_KEYS)] + self.hll_keys(0, 3)],
             lambda: [[b"GET", rng.choice(HLL_KEYS)], [b"OBJECT", b"ENCODING", rng.choice(HLL_KEYS)]],
             lambda: [[b"DEL", rng.choice(HLL_KEYS)]],
             lambda: [[b"RENAME", rng.choice(HLL_KEYS), rng.choice(HLL_KEYS)]],
             lambda: [[b"EXPIRE", rng.choice(HLL_KEYS), self.time(b"EX")], [b"TTL", rng.choice(HLL_KEYS)]],
             lambda: [[b"PFDEBUG", self.word(rng.choice(
                 [b"DECODE", b"DECODE", b"ENCODING", b"GETREG", b"TODENSE", b"NOSUCH"])), key()]],
             self.hll_value,
             lambda: [rng.choice([[b"PFADD"], [b"PFCOUNT"], [b"PFMERGE"], [b"PFDEBUG", b"DECODE"],
                                  [b"PFDEBUG", b"DECODE", key(), b"x"], [b"PFSELFTEST", b"x"]])]],
            [40, 15, 8, 10, 3, 2, 2, 4, 6, 1])[0]()

    def scan(self):
        rng = self.rng
        command = [b"SCAN", b"0", self.word(b"COUNT"), b"100000"]
        if rng.randrange(2):
            command += [self.word(b"MATCH"), rng.choice(PATTERNS)]
        if rng.randrange(3) == 0:
            command += [self.word(b"TYPE"), rng.choice([b"string", b"STRING", b"list", b"nosuch"])]
        return command

    def object(self):
        return [b"OBJECT", self.word(self.rng.choice(
            [b"ENCODING", b"ENCODING", b"ENCODING", b"REFCOUNT", b"IDLETIME", b"FREQ"])), self.key()]

    def valid(self):
        rng = self.rng
        key, value = self.key, self.value
        makers = [
            (30, self.set),
            (20, lambda: [b"GET", key()]),
            (8, self.getex),
            (3, lambda: [b"GETDEL", key()]),
            (4, lambda: [b"GETSET", key(), value()]),
            (5, lambda: [b"MGET"] + self.keys()),
            (4, lambda: self.mset(b"MSET")),
            (4, lambda: self.mset(b"MSETNX")),
            (4, lambda: [b"SETNX", key(), value()]),
            (3, lambda: [b"SETEX", key(), self.time(b"EX"), value()]),
            (3, lambda: [b"PSETEX", key(), self.time(b"PX"), value()]),
            (8, lambda: [b"APPEND", key(), value()]),
            (5, lambda: [b"STRLEN", key()]),
            (6, lambda: [b"SETRANGE", key(), b"%d" % rng.randrange(-2, 80), value()]),
            (6, lambda: [rng.choice([b"GETRANGE", b"SUBSTR"]), key(), b"%d" % rng.randrange(-60, 60),
                         b"%d" % rng.randrange(-60, 60)]),
            (6, lambda: [rng.choice([b"INCR", b"DECR"]), key()]),
            (8, lambda: [rng.choice([b"INCRBY", b"DECRBY"]), key(), self.integer()]),
            (5, lambda: [b"INCRBYFLOAT", key(), b"%.*f" % (rng.randrange(8), rng.uniform(-99, 99))]),
            (1, lambda: [b"INCRBYFLOAT", key(), b"%.3e" % (rng.uniform(-9, 9) * 10.0**rng.randrange(-20, 25))]),
            (4, self.lcs),
            (8, lambda: [b"SETBIT", key(), self.bit_offset(), self.bit()]),
            (5, lambda: [b"GETBIT", key(), self.bit_offset()]),
            (6, lambda: self.bit_range(b"BITCOUNT")),
            (8, lambda: self.bit_range(b"BITPOS", self.bit())),
            (5, self.bitop),
            (12, self.bitfield),
            (5, lambda: [rng.choice([b"DEL", b"UNLINK"])] + self.keys()),
            (4, lambda: [rng.choice([b"EXISTS", b"TOUCH"])] + self.keys()),
            (3, lambda: [b"TYPE", key()]),
            (12, self.expire),
            (10, lambda: [rng.choice([b"TTL", b"PTTL", b"EXPIRETIME", b"PEXPIRETIME"]), key()]),
            (3, lambda: [b"PERSIST", key()]),
            (4, lambda: [rng.choice([b"RENAME", b"RENAMENX"]), key(), key()]),
            (5, self.copy),
            (3, lambda: [b"MOVE", key(), b"%d" % rng.randrange(DATABASES)]),
            (2, lambda: [b"KEYS", rng.choice(PATTERNS)]),
            (3, self.scan),
            (1, lambda: [b"RANDOMKEY"]),
            (3, lambda: [b"DBSIZE"]),
            (8, self.object),
            (0.3, lambda: [b"SWAPDB", b"%d" % rng.randrange(DATABASES), b"%d" % rng.randrange(DATABASES)]),
            (0.2, lambda: [b"FLUSHDB"] + rng.choice([[], [b"ASYNC"], [b"sync"]])),
            (0.1, lambda: [b"FLUSHALL"] + rng.choice([[], [b"async"], [b"SYNC"]])),
            (0.2, lambda: [b"OBJECT", b"HELP"]),
        ]
        weights = [weight for weight, _ in makers]
        return rng.choices([make for _, make in makers], weights)[0]()

    def broken(self):
        """A valid command with a mistake in it; some of them are still valid."""
        rng = self.rng
        command = self.valid()
        scan = command[0] == b"SCAN"
        # As the offset of a bit this one would make a string of 64 MB.
        junk = [text for text in JUNK
                if text != b"536870912" or command[0] not in (b"SETBIT", b"BITFIELD")]
        kind = rng.randrange(8)
        if kind == 0 and len(command) > 1:
            del command[rng.randrange(1, len(command))]
        elif kind == 1:
            command.insert(rng.randrange(1, len(command) + 1), rng.choice(junk))
        elif kind == 2:
            command[0] = rng.choice([b"NOSUCHCOMMAND", b"GETT", b"\xff", b"", b"OBJECT", b"get"])
        elif kind == 3:
            command = [b"OBJECT", rng.choice([b"NOSUCH", b"ENCODING", b"HELP", b""])] + self.keys(0, 2)
        elif kind == 4:
            command = [b"SCAN", rng.choice([b"x", b"-", b"1x", b" 1", b"18446744073709551616", b"\t0"])]
        elif len(command) > 1:
            command[rng.randrange(1, len(command))] = rng.choice(junk)
        if scan and kind != 4 and (len(command) < 4 or command[1] != b"0" or b"100000" not in command):
            # A part of an iteration, which each server cuts in its own way.
            return [b"SCAN", b"0", b"COUNT", rng.choice([b"0", b"-1", b"x", b"", b"1.5"])]
        return command

    def batch(self, size):
        commands = []
        while len(commands) < size:
            if self.rng.randrange(8) == 0:
                commands += self.hyperloglog()
                continue
            command = self.broken() if self.rng.randrange(8) == 0 else self.valid()
            commands.append(command)
            # Redis stores a string whose deadline has passed, and counts it until it looks.
            if command[0].upper() == b"SET" and len(command) > 1:
                commands.append([b"EXISTS", command[1]])
        return commands


WHOLE = {b"FLUSHALL", b"FLUSHDB", b"SWAPDB"}


class Run:
    def __init__(self, options):
        self.options = options
        addresses = (options.reference, options.tested)
        self.pairs = [Pair(addresses, 2), Pair(addresses, 3)]
        self.rng = random.Random(options.seed)
        self.generator = Generator(self.rng)
        self.history = deque(maxlen=HISTORY)
        self.sent = 0
        self.differences = 0
        self.reset()

    def reset(self):
        self.pairs[0].call("FLUSHALL")
        self.history.clear()

    def report(self, pair, command, replies):
        self.differences += 1
        print(f"\ndifference {self.differences} after {self.sent} commands, RESP{pair.protocol}, "
              f"database {pair.db}")
        print(f"  command    {show(command)}")
        print(f"  reference  {replies[0]!r}"[:2000])
        print(f"  tested     {replies[1]!r}"[:2000])
        mine = {arg for arg in command[1:] if arg in KEYS}
        told = [entry for entry in self.history
                if entry[1][0].upper() in WHOLE or mine.intersection(entry[1][1:])]
        print("  before it, on the same keys:")
        for db, earlier, reply in told[-SHOWN_HISTORY:-1]:
            print(f"    db {db}  {show(earlier)}  ->  {reply!r}"[:300])

    def compare(self, pair, commands):
        """True when all replies agree."""
        replies = pair.run(commands)
        for command, (a, b) in zip(commands, replies):
            self.sent += 1
            self.history.append((pair.db, command, a))
            if not agree(command, a, b, self.options.tolerance_ms):
                self.report(pair, command, (a, b))
                return False
        return True

    def select(self, pair):
        pair.db = self.rng.randrange(DATABASES)
        pair.call("SELECT", pair.db)

    def scan_in_steps(self, pair):
        """A whole iteration on each server, with a cursor of its own."""
        count = self.rng.randrange(1, 30)
        found = []
        for connection in pair.connections:
            keys, cursor = set(), b"0"
            while True:
                kind, value = connection.call("SCAN", cursor, "COUNT", count)
                if kind != "*":
                    raise Failure(f"{connection.name} broke off a SCAN: {value!r}")
                cursor = value[0][1]
                keys.update(key for _, key in value[1][1])
                if cursor == b"0":
                    break
            found.append(sorted(keys))
        self.sent += 1
        if found[0] == found[1]:
            return True
        self.report(pair, [b"SCAN", b"0 to 0", b"COUNT", b"%d" % count], found)
        return False

    def expire_soon(self, pair):
        """Keys that expire after some milliseconds are gone afterwards, and not counted."""
        keys = self.rng.sample(KEYS, 3)
        for key in keys:
            command = self.rng.choice([[b"SET", key, b"v", b"PX", b"20"], [b"PSETEX", key, b"20", b"v"],
                                       [b"PEXPIRE", key, b"20"], [b"GETEX", key, b"PX", b"20"]])
            # The reply shows the value, which the key may not outlive on one of the two.
            pair.run([command])
            self.history.append((pair.db, command, "soon"))
        time.sleep(0.05)
        if not self.compare(pair, [[b"MGET"] + keys, [b"EXISTS"] + keys, [b"TTL", keys[0]],
                                   [b"SETNX", keys[1], b"new"], [b"KEYS", b"*"]]):
            return False
        deadline = time.monotonic() + EXPIRY_WAIT_S
        while True:
            sizes = pair.call("DBSIZE")
            if sizes[0] == sizes[1]:
                return True
            if time.monotonic() > deadline:
                self.report(pair, [b"DBSIZE"], sizes)
                return False
            time.sleep(0.02)

    def go(self):
        while self.sent < self.options.commands and self.differences < self.options.differences:
            pair = self.rng.choice(self.pairs)
            if self.rng.randrange(3) == 0:
                self.select(pair)
            kind = self.rng.randrange(100)
            if kind == 0:
                same = self.expire_soon(pair)
            elif kind < 4:
                same = self.scan_in_steps(pair)
            else:
                same = self.compare(pair, self.generator.batch(self.rng.randrange(1, MAX_BATCH)))
            if not same:
                # What follows would only show the same difference again.
                self.reset()
        return self.differences


def show(command):
    return " ".join(repr(arg)[1:] if len(arg) < 60 else f"'…' ({len(arg)} bytes)" for arg in command)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("reference", help="host:port of a redis-server whose data may be lost")
    parser.add_argument("tested", help="host:port of a metaStore node whose data may be lost")
    parser.add_argument("--commands", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--tolerance-ms", type=int, default=2000)
    parser.add_argument("--differences", type=int, default=5, help="stop after so many")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    try:
        run = Run(options)
        differences = run.go()
    except (Failure, OSError) as failure:
        print(f"cannot go on: {failure}")
        return 2
    print(f"{run.sent} commands, {differences} differences (seed {options.seed})")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
