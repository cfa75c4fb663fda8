#!/usr/bin/env python3
"""Sends the same random commands to a reference redis-server and to metaStore and compares replies.

    tests/compat/differential.py 127.0.0.1:6400 127.0.0.1:6379 --commands 100000 --seed 7

Both servers are flushed first. Commands of the chosen groups (generators/), valid and not, go
pipelined over a RESP2 and a RESP3 connection in several databases. Replies must be equal byte for
byte after decoding, except where a group has a rule of its own: replies without an order, random
ones, times, which may differ by --tolerance-ms. Errors that quote an argument with control bytes
are compared up to the quote: Redis cuts such an argument at its first zero byte.

With --events both servers publish keyspace events, which must be the same in the same order.

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

from generators.mix import GROUPS, Mix
from generators.words import DATABASES

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


class Listener:
    """Hears the keyspace events of both servers."""

    MARK = b"end of the batch"

    def __init__(self, addresses, classes):
        self.connections = [Connection(address, name)
                            for address, name in zip(addresses, ("reference", "tested"))]
        self.marks = 0
        for address, connection in zip(addresses, self.connections):
            setter = Connection(address, connection.name)
            if setter.call("CONFIG", "SET", "notify-keyspace-events", classes)[0] != "+":
                raise Failure(f"{connection.name} does not know these classes of events")
            connection.call("PSUBSCRIBE", "__key*@*__:*")
            connection.call("SUBSCRIBE", self.MARK)

    def take(self, pair):
        """The events since the last call, of each server; those of expiry have a time of their own."""
        self.marks += 1
        mark = b"%d" % self.marks
        pair.call("PUBLISH", self.MARK, mark)
        told = []
        for connection in self.connections:
            events = []
            while True:
                _, parts = connection.read()
                words = [part[1] for part in parts]
                if words == [b"message", self.MARK, mark]:
                    break
                if words[3] != b"expired" and not words[2].endswith(b"__:expired"):
                    events.append((words[2], words[3]))
            told.append(events)
        return told


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


def before_quote(reply):
    return re.split(rb"'|Unsupported option", reply[1])[0]


WHOLE = {b"FLUSHALL", b"FLUSHDB", b"SWAPDB"}


class Run:
    def __init__(self, options):
        self.options = options
        addresses = (options.reference, options.tested)
        self.pairs = [Pair(addresses, 2), Pair(addresses, 3)]
        self.rng = random.Random(options.seed)
        self.mix = Mix(self.rng, options.groups)
        names = {group.name for group in self.mix.groups}
        self.with_strings = {"string", "generic"} <= names
        self.history = deque(maxlen=HISTORY)
        self.listener = Listener(addresses, options.events) if options.events else None
        self.sent = 0
        self.differences = 0
        self.reset()

    def reset(self):
        self.pairs[0].call("FLUSHALL")
        self.history.clear()
        if self.listener:
            self.listener.take(self.pairs[0])

    def report(self, pair, command, replies):
        self.differences += 1
        print(f"\ndifference {self.differences} after {self.sent} commands, RESP{pair.protocol}, "
              f"database {pair.db}")
        print(f"  command    {show(command)}")
        print(f"  reference  {replies[0]!r}"[:2000])
        print(f"  tested     {replies[1]!r}"[:2000])
        mine = {arg for arg in command[1:] if arg in self.mix.words.all_keys}
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
            if not self.agree(command, a, b):
                self.report(pair, command, (a, b))
                return False
        return self.compare_events(pair, commands)

    def compare_events(self, pair, commands):
        if not self.listener:
            return True
        reference, tested = self.listener.take(pair)
        if reference == tested:
            return True
        i = 0
        while i < min(len(reference), len(tested)) and reference[i] == tested[i]:
            i += 1
        self.differences += 1
        print(f"\ndifference {self.differences} of events after {self.sent} commands, "
              f"RESP{pair.protocol}, database {pair.db}")
        print(f"  equal      {reference[max(0, i - 4):i]}")
        print(f"  reference  {reference[i:i + 4]}")
        print(f"  tested     {tested[i:i + 4]}")
        print("  commands and replies of the reference:")
        for db, command, reply in list(self.history)[-len(commands):]:
            print(f"    {show(command)}  ->  {reply!r}"[:200])
        return False

    def agree(self, command, a, b):
        if a[0] == "-" and b[0] == "-" and any(
                byte < 32 or byte == 127 for arg in command for byte in arg):
            if before_quote(a) == before_quote(b):
                return True
        rule = self.mix.rules.get(command[0].upper())
        return rule(command, a, b, self.options.tolerance_ms) if rule else a == b

    def select(self, pair):
        pair.db = self.rng.randrange(DATABASES)
        pair.call("SELECT", pair.db)

    def scan_in_steps(self, pair):
        """A whole iteration on each server, with a cursor of its own: the keys, or a collection."""
        count = self.rng.randrange(1, 30)
        group = self.rng.choice([None] + self.mix.scans)
        head, step = ([b"SCAN"], 1) if group is None else (
            [group.scan, self.rng.choice(group.keys)], group.scan_step)
        found = []
        for connection in pair.connections:
            elements, cursor = set(), b"0"
            while True:
                kind, value = connection.call(*head, cursor, "COUNT", count)
                if kind != "*":
                    elements = {value}  # another type
                    break
                cursor = value[0][1]
                items = value[1][1]
                elements.update(items[i:i + step] for i in range(0, len(items), step))
                if cursor == b"0":
                    break
            found.append(sorted(elements, key=repr))
        self.sent += 1
        if found[0] == found[1]:
            return True
        self.report(pair, head + [b"0 to 0", b"COUNT", b"%d" % count], found)
        return False

    def expire_soon(self, pair):
        """Keys that expire after some milliseconds are gone afterwards, and not counted."""
        keys = self.rng.sample(self.mix.words.all_keys, 3)
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
            if kind == 0 and self.with_strings:
                same = self.expire_soon(pair)
            elif kind < 4:
                same = self.scan_in_steps(pair)
            else:
                same = self.compare(pair, self.mix.batch(self.rng.randrange(1, MAX_BATCH)))
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
    parser.add_argument("--events", metavar="CLASSES",
                        help="compare keyspace events of these classes, too: KEA, or KEAn")
    parser.add_argument("--groups", nargs="+", choices=[group.name for group in GROUPS],
                        help="these alone; all without it")
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
