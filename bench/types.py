#!/usr/bin/env python3
"""Space and speed of each data type, packed and spread, beside redis-server's in the same run.

    bench/types.py [--elements N] [--seconds S] [--only REGEX]

For each row both servers get N elements (redis-benchmark, -c 50 -P 16): in collections of 16 each,
which stay packed, or all in one. Space is what an element adds on disk after metaStore was stopped
and started again, and to redis-server's used_memory. Speed is that of one more operation on what is
there then. redis-server runs with appendfsync always. Prints one Markdown table.
"""

import argparse
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "compat"))
import servers  # noqa: E402

PACKED = 16
SEQUENCE = "__rand_int__"


@dataclass(frozen=True)
class Row:
    name: str
    packed: bool
    fill: tuple      # redis-benchmark's command; {key} is the collection
    operation: tuple


def rows():
    value = "v" * 16
    for packed in (True, False):
        key = f"k:{SEQUENCE}" if packed else "big"
        member = f"m:{SEQUENCE}" if not packed else None
        # Of a packed collection the members are spread by the number of requests to each key.
        yield Row("hash", packed, ("HSET", key, member or f"f:{SEQUENCE}", value), ("HGET", key, f"m:{SEQUENCE}"))
        yield Row("set", packed, ("SADD", key, member or f"m:{SEQUENCE}"), ("SISMEMBER", key, f"m:{SEQUENCE}"))
        yield Row("list", packed, ("RPUSH", key, value), ("LINDEX", key, "5"))
        yield Row("stream", packed, ("XADD", key, "*", "f", value), ("XRANGE", key, "-", "+", "COUNT", "1"))
        yield Row("sorted set", packed, ("ZADD", key, SEQUENCE, member or f"m:{SEQUENCE}"), ("ZSCORE", key, f"m:{SEQUENCE}"))


def load(port, command, requests, keyspace):
    """Requests a second."""
    out = subprocess.run(
        ["redis-benchmark", "-h", servers.HOST, "-p", str(port), "-c", "50", "-P", "16", "-q", "-n",
         str(requests), "-r", str(keyspace), *command], capture_output=True, text=True, check=True).stdout
    rates = re.findall(r"([0-9.]+) requests per second", out)
    if not rates:
        raise SystemExit(f"redis-benchmark says: {out}")
    return float(rates[-1])


def bytes_on_disk(node):
    return sum(path.stat().st_size for path in (node.data / "db").rglob("*") if path.is_file())


def elements(port, row):
    counters = {"hash": "HLEN", "set": "SCARD", "list": "LLEN", "stream": "XLEN", "sorted set": "ZCARD"}
    if row.packed:
        return None
    return int(servers.ask(port, f"{counters[row.name]} big").lstrip(":"))


def used_memory(port):
    return int(re.search(r"used_memory:(\d+)", servers.ask(port, "INFO memory")).group(1))


def measure(row, options):
    keyspace = options.elements // PACKED if row.packed else options.elements * 4
    with servers.Servers("metastore-types-", parent=options.dir) as running:
        (node,) = running.metastore(1)
        redis = running.redis(options=["--appendonly", "yes", "--appendfsync", "always"])
        memory = used_memory(redis.port)
        fill = [load(server.port, row.fill, options.elements, keyspace) for server in (node, redis)]
        count = elements(node.port, row) or options.elements
        memory = (used_memory(redis.port) - memory) / count
        operation = [load(server.port, row.operation, options.elements, keyspace) for server in (node, redis)]
        running.stop([node])
        disk = bytes_on_disk(node) / count
    return fill, operation, disk, memory


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--elements", type=int, default=1_000_000)
    parser.add_argument("--only", default="", metavar="REGEX", help="rows whose name matches")
    parser.add_argument("--dir", default=None, help="where the data is put")
    options = parser.parse_args()
    servers.end_on_signals()
    print("| type | form | element | bytes on disk | redis, memory | write, k/s | redis | read | k/s | redis |")
    print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
    for row in rows():
        name = f"{row.name} {'packed' if row.packed else 'spread'}"
        if not re.search(options.only, name):
            continue
        fill, operation, disk, memory = measure(row, options)
        print(f"| {row.name} | {'packed' if row.packed else 'spread'} | `{' '.join(row.fill[2:])}` | "
              f"{disk:.1f} | {memory:.1f} | {fill[0] / 1000:.0f} | {fill[1] / 1000:.0f} | "
              f"{row.operation[0]} | {operation[0] / 1000:.0f} | {operation[1] / 1000:.0f} |", flush=True)


if __name__ == "__main__":
    main()
