#!/usr/bin/env python3
"""DUMP and RESTORE both ways: what one server serializes the other restores, and both then hold the
same. Payloads of older versions too, which are made here, and damaged ones, which must do no harm.

    dump_check.py HOST:PORT HOST:PORT [--rounds N] [--seed N]      redis-server first
"""

import argparse
import random
import struct
import sys

from checks import Check, Failure, output_of, short
from differential import Connection
from generators.mix import Mix
from servers import HOST

ROUNDS = 6
COMMANDS = 400  # of a round
DAMAGED = 3  # copies of each payload
VERSION = 10
# Time passes between the two servers' looks at it.
UNCERTAIN = {b"radix-tree-keys", b"radix-tree-nodes", b"idle", b"inactive"}


def crc64_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ 0x95ac9329ac4bc9b5 if byte & 1 else byte >> 1
        table.append(byte)
    return table


TABLE = crc64_table()


def sealed(body, version=VERSION):
    body = body + struct.pack("<H", version)
    crc = 0
    for byte in body:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xff]
    return body + struct.pack("<Q", crc)


def text(data):
    """A string of less than 16 KB, as its bytes."""
    return (bytes([len(data)]) if len(data) < 64 else struct.pack(">H", 0x4000 | len(data))) + data


def ziplist(elements):
    out, previous, tail = b"", 0, 10
    for element in elements:
        tail = 10 + len(out)
        entry = bytes([previous]) if previous < 254 else b"\xfe" + struct.pack("<I", previous)
        if isinstance(element, bytes):
            entry += (bytes([len(element)]) if len(element) < 64 else
                      struct.pack(">H", 0x4000 | len(element)) if len(element) < 1 << 14 else
                      b"\x80" + struct.pack(">I", len(element))) + element
        elif 0 <= element <= 12:
            entry += bytes([0xf1 + element])
        elif -128 <= element < 128:
            entry += b"\xfe" + struct.pack("<b", element)
        elif -1 << 15 <= element < 1 << 15:
            entry += b"\xc0" + struct.pack("<h", element)
        elif -1 << 23 <= element < 1 << 23:
            entry += b"\xf0" + struct.pack("<i", element)[:3]
        elif -1 << 31 <= element < 1 << 31:
            entry += b"\xd0" + struct.pack("<i", element)
        else:
            entry += b"\xe0" + struct.pack("<q", element)
        out += entry
        previous = len(entry)
    return struct.pack("<IIH", 11 + len(out), tail, len(elements)) + out + b"\xff"


def listpack(elements):
    """Of short strings and numbers below 128."""
    out = b""
    for element in elements:
        entry = bytes([0x80 | len(element)]) + element if isinstance(element, bytes) else bytes([element])
        out += entry + bytes([len(entry)])
    return struct.pack("<IH", 7 + len(out), len(elements)) + out + b"\xff"


def zipmap(pairs):
    out = bytes([len(pairs)])
    for field, value in pairs:
        out += bytes([len(field)]) + field + bytes([len(value), 2]) + value + b"??"
    return out + b"\xff"


def old_payloads():
    """Of forms that no redis-server of today writes but every one reads."""
    mixed = [b"a", 0, 12, 13, -1, 127, -300, 70000, -8000000, 1 << 30, -(1 << 40), b"x" * 100, b"y" * 20000]
    members = [b"m%d" % i for i in range(20)]
    scored = [part for i, member in enumerate(members) for part in (member, i * i)]
    count = bytes([len(members)])
    yield "list", b"\x01" + count + b"".join(map(text, members))
    yield "list of a ziplist", b"\x0a" + text(ziplist(mixed[:12]))
    yield "list of ziplists", b"\x0e\x02" + text(ziplist(mixed[:12])) + text(ziplist([b"last"]))
    yield "set", b"\x02" + count + b"".join(map(text, members))
    yield "hash", b"\x04\x0a" + b"".join(map(text, members))
    yield "hash of a zipmap", b"\x09" + text(zipmap(list(zip(members[::2], members[1::2]))))
    yield "hash of a ziplist", b"\x0d" + text(ziplist(scored))
    yield "sorted set with scores as text", b"\x03\x04" + b"".join(
        text(member) + score for member, score in zip(members, [b"\x031.5", b"\xfe", b"\xff", b"\x02-0"]))
    yield "sorted set of a ziplist", b"\x0c" + text(ziplist(scored + [b"float", b"2.25", b"low", b"-inf"]))
    yield "list of plain nodes", (b"\x12\x03\x01" + text(b"plain" * 30) + b"\x01" + text(b"12") + b"\x02"
                                  + text(listpack([b"packed", 5])))
    node = text(struct.pack(">QQ", 1, 0)) + text(listpack(
        [3, 0, 1, b"f", 0] + [part for i in range(3) for part in (2, i, 0, b"v", 4)]))
    groups = b"\x03" + b"".join(text(b"g%d" % i) + bytes([i, 0, 0, 0]) for i in range(3))
    yield "stream of Redis 5", b"\x0f\x01" + node + b"\x03\x03\x00" + groups
    yield "stream that erased above its last id", b"\x13\x01" + node + b"\x03\x03\x00\x01\x00\x09\x00\x04\x00"
    yield "string in int8, int16, int32", b"\x00\xc0\xff"
    yield "string in int16", b"\x00\xc1\x00\x80"
    yield "string in int32", b"\x00\xc2\x00\x00\x00\x80"
    yield "string of LZF", b"\x00\xc3\x05\x0b\x00a\xe0\x01\x00"
    yield "bytes behind the value", b"\x00\x01xyz"
    yield "set with a member twice", b"\x02\x02\x01a\x01a"
    yield "empty list", b"\x01\x00"
    yield "module", b"\x07\x00"
    yield "no such type", b"\x63\x00"
    yield "nothing", b""


def picture(connection, key):
    """What a key holds, such that equal values give equal pictures on both servers."""
    kind = connection.call("TYPE", key)
    seen = [kind, connection.call("OBJECT", "ENCODING", key),
            connection.call("DEBUG", "DIGEST-VALUE", key), connection.call("PEXPIRETIME", key)]
    if kind == ("+", b"stream"):
        seen.append(without_uncertain(connection.call("XINFO", "STREAM", key, "FULL", "COUNT", 0)))
    return seen


def without_uncertain(reply):
    kind, value = reply
    if not isinstance(value, tuple):
        return reply
    kept, skip = [], False
    for element in value:
        if skip:
            skip = False
        elif element[1] in UNCERTAIN:
            skip = True
        else:
            kept.append(without_uncertain(element))
    return kind, tuple(kept)


class Run:
    def __init__(self, reference, tested, seed):
        self.servers = (reference, tested)
        self.rng = random.Random(seed)
        self.restored = 0
        self.damaged = 0

    def carry(self, source, key):
        """From one server to both; returns the payload."""
        payload = source.call("DUMP", key)[1]
        deadline = max(0, int(source.call("PEXPIRETIME", key)[1]))
        for server in self.servers:
            answer = server.call("RESTORE", "copy", deadline, payload, "REPLACE", "ABSTTL")
            if answer != ("+", b"OK"):
                raise Failure(f"{server.name} says {answer} to RESTORE of {short(payload)} from {source.name}")
        # Its encoding may be another than that of the value that was dumped.
        there, here = (picture(server, "copy") for server in self.servers)
        wanted = picture(source, key)
        if there != here or here[:1] + here[2:] != wanted[:1] + wanted[2:]:
            raise Failure(f"{key} of {source.name}, {short(payload)}: {wanted}\n"
                          f"restored there: {there}\nrestored here:  {here}")
        self.restored += 1
        return payload

    def damage(self, payload):
        """Whatever comes of it, the node lives on, and what it took is a whole value."""
        tested, rng = self.servers[1], self.rng
        body = bytearray(payload[:-10])
        for _ in range(rng.randrange(1, 4)):
            kind = rng.randrange(4)
            at = rng.randrange(len(body)) if body else 0
            if kind == 0 and body:
                body[at] ^= 1 << rng.randrange(8)
            elif kind == 1 and body:
                body[at] = rng.choice([0, 1, 0x7f, 0x80, 0x81, 0xc3, 0xf0, 0xfe, 0xff])
            elif kind == 2:
                del body[at:at + rng.randrange(1, 8)]
            else:
                body[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 5)))
        answer = tested.call("RESTORE", "copy", 0, sealed(bytes(body)), "REPLACE")
        if answer == ("+", b"OK"):
            again = tested.call("DUMP", "copy")[1]
            if again is None or tested.call("RESTORE", "copy", 0, again, "REPLACE") != ("+", b"OK"):
                raise Failure(f"{short(bytes(body))} was taken and is no value")
        elif answer != ("-", b"ERR Bad data format"):
            raise Failure(f"{answer} to a damaged payload {short(bytes(body))}")
        self.damaged += 1

    def old_forms(self):
        for name, body in old_payloads():
            answers = [server.call("RESTORE", "copy", 0, sealed(body), "REPLACE") for server in self.servers]
            # Bytes behind the value are no mistake there.
            if name == "bytes behind the value":
                answers[0] = ("-", b"ERR Bad data format")
            if answers[0] != answers[1]:
                raise Failure(f"{name}: {answers[0]} there, {answers[1]} here")
            if answers[0][0] == "+" and picture(self.servers[0], "copy") != picture(self.servers[1], "copy"):
                raise Failure(f"{name}: {[picture(server, 'copy') for server in self.servers]}")

    def round(self):
        reference, tested = self.servers
        for server in self.servers:
            server.call("FLUSHALL")
        mix = Mix(self.rng)
        commands = [command for command in mix.batch(COMMANDS) if command[0].upper() not in STAYS_OUT]
        # Larger than what is compact.
        for name in (b"x", b"1"):
            commands += [[b"HSET", b"big:hash"] + [b"%s%d" % (name, i) for i in range(2000)],
                         [b"SADD", b"big:set" + name] + [b"%s%d" % (name, i) for i in range(2000)],
                         [b"ZADD", b"big:zset"] + [b"%d%s" % (i, b"" if i % 2 else name) for i in range(2000)],
                         [b"RPUSH", b"big:list"] + [name * (i % 300) for i in range(500)]]
            commands += [[b"XADD", b"big:stream", b"%d-%d" % (i // 3 + 1, i % 3 + 1), b"f", name * (i % 90),
                          b"g%d" % (i % 7 == 0), b"%d" % i] for i in range(400)]
        commands += [[b"XGROUP", b"CREATE", b"big:stream", b"g", b"0"],
                     [b"XREADGROUP", b"GROUP", b"g", b"c1", b"COUNT", b"30", b"STREAMS", b"big:stream", b">"],
                     [b"XREADGROUP", b"GROUP", b"g", b"c2", b"COUNT", b"5", b"STREAMS", b"big:stream", b">"],
                     [b"XACK", b"big:stream", b"g", b"2-1", b"2-2"], [b"XDEL", b"big:stream", b"3-1"]]
        for server in self.servers:
            server.send(commands)
            for _ in commands:
                server.read()
            server.call("SELECT", 0)
        for key in sorted(key for _, key in reference.call("KEYS", "*")[1]):
            if tested.call("EXISTS", key) != (":", b"1"):
                continue  # it may have expired in between
            payloads = [self.carry(server, key) for server in self.servers]
            for payload in payloads:
                for _ in range(DAMAGED):
                    self.damage(payload)


# What is of the connection, or what one server does not have.
STAYS_OUT = {b"SELECT", b"HELLO", b"FLUSHALL", b"FLUSHDB", b"SWAPDB", b"MOVE", b"EXPIRE", b"PEXPIRE", b"EXPIREAT",
             b"PEXPIREAT", b"HEXPIRE", b"HPEXPIRE", b"HEXPIREAT", b"HPEXPIREAT"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference")
    parser.add_argument("tested")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    run = Run(Connection(options.reference, "redis-server"), Connection(options.tested, "metaStore"), options.seed)
    try:
        run.old_forms()
        for _ in range(options.rounds):
            run.round()
    except Failure as failure:
        print(failure)
        return 1
    print(f"{run.restored} values carried over, {run.damaged} damaged payloads (seed {options.seed})")
    return 0


def compare(node_and_servers):
    node, running = node_and_servers
    server = running.redis("reference-dump", ["--enable-debug-command", "yes"])
    try:
        output_of([sys.executable, __file__, f"{HOST}:{server.port}", f"{HOST}:{node.port}"], timeout_s=60)
    finally:
        running.stop([server])


CHECK = Check("DUMP and RESTORE both ways with redis-server, of all types and forms", compare)

if __name__ == "__main__":
    sys.exit(main())
