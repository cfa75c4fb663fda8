#!/usr/bin/env python3
"""Compares metaStore with `redis-server --appendonly yes --appendfsync always` on this machine.

    bench/bench.py [--quick] [--only REGEX] [--runs N] [--seconds S] [--keys N] [--dir DIRECTORY]

Both keep every acknowledged write on disk. redis-benchmark loads them in turns (one, the other, one
…), `sync` before each run; a figure is the median of the runs. Reads meet keys that are there: all
of them are loaded first. Three-node rows and single clients are information; the rows with a mark
decide the exit code. Prints one Markdown table. METASTORE names the binary (default ./metaStore).
"""

import argparse
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "compat"))
import measure  # noqa: E402
import servers  # noqa: E402

VALUE_BYTES = 64
CALIBRATION_S = 0.4
REDIS = "redis, appendfsync always"
ONE = "metaStore, one node"


@dataclass(frozen=True)
class Cell:
    test: str
    clients: int
    depth: int
    mark: float = 0  # the part of redis-server's rate that must be reached; 0: information

    @property
    def name(self):
        return f"{self.test} -c {self.clients} -P {self.depth}"


CELLS = [Cell("SET", 50, 1, 0.7), Cell("SET", 50, 16, 0.5), Cell("GET", 50, 1, 0.8), Cell("GET", 50, 16, 0.4),
         Cell("SET", 1, 1), Cell("GET", 1, 1)]


@dataclass
class Target:
    """What one row measures: where the load goes, and whose costs count."""

    name: str
    port: int
    pids: list


class Bench:
    def __init__(self, options):
        self.options = options
        self.counts_fsyncs = measure.can_count_fsyncs()
        self.results = {}  # (cell, name of the target) -> runs

    def load_command(self, cell, target, requests):
        return ["redis-benchmark", "-h", servers.HOST, "-p", str(target.port), "--csv", "--precision", "3",
                "-t", cell.test.lower(), "-r", str(self.options.keys), "-n", str(requests),
                "-c", str(cell.clients), "-P", str(cell.depth), "-d", str(VALUE_BYTES)]

    def fill(self, target):
        """Every key that redis-benchmark can ask for, so that each GET finds one."""
        say(f"loading {self.options.keys} keys into {target.name}")
        process = subprocess.Popen(["redis-cli", "-h", servers.HOST, "-p", str(target.port), "--pipe"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        value = b"x" * VALUE_BYTES
        for first in range(0, self.options.keys, 10_000):
            last = min(first + 10_000, self.options.keys)
            process.stdin.write(b"".join(
                b"*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$%d\r\n%s\r\n" % (i, len(value), value)
                for i in range(first, last)))
        report = process.communicate()[0].decode()
        if f"errors: 0, replies: {self.options.keys}" not in report:
            raise SystemExit(f"{target.name} did not take the keys: {report[-300:]}")

    def requests_for(self, cell, target):
        """How many requests take about the wanted time on this server."""
        probe = 100 * cell.clients * cell.depth
        while True:
            wall_s = measure.load(self.load_command(cell, target, probe), target.pids, False)["wall_s"]
            if wall_s >= CALIBRATION_S:
                return max(probe, int(probe / wall_s * self.options.seconds))
            probe *= 3

    def measure(self, cells, targets):
        for cell in cells:
            requests = {target.name: self.requests_for(cell, target) for target in targets}
            for run in range(self.options.runs):
                for target in targets:
                    subprocess.run(["sync"], check=True)
                    result = measure.load(self.load_command(cell, target, requests[target.name]),
                                          target.pids, self.counts_fsyncs)
                    self.results.setdefault((cell, target.name), []).append(result)
                    say(f"{cell.name}, {target.name}, run {run + 1}: {result['rps']:.0f} req/s, "
                        f"p99 {result['p99']:.2f} ms, other programs {result['other_cpu']:.0f} % CPU")

    def median(self, cell, name, key):
        values = [run[key] for run in self.results.get((cell, name), []) if run[key] is not None]
        return statistics.median(values) if values else None

    def rows(self, cells):
        """The table's rows and whether every mark is reached."""
        rows, reached = [], True
        for cell in cells:
            base = self.median(cell, REDIS, "rps")
            for name in [n for c, n in self.results if c == cell]:
                figure = {key: self.median(cell, name, key) for key in measure.FIGURES}
                spread = [run["rps"] for run in self.results[cell, name]]
                ratio, verdict = figure["rps"] / base, ""
                if name == ONE and cell.mark:
                    passed = ratio >= cell.mark
                    reached &= passed
                    verdict = f"≥ {cell.mark}: {'pass' if passed else 'FAIL'}"
                fsyncs = "" if figure["fsyncs"] is None else f"{figure['fsyncs']:.0f}"
                rows.append([cell.name, name, f"{figure['rps']:.0f}", f"{min(spread):.0f}–{max(spread):.0f}",
                             f"{ratio:.2f}", verdict, f"{figure['p50']:.2f}", f"{figure['p99']:.2f}",
                             f"{figure['server_cpu']:.0f}", f"{figure['other_cpu']:.0f}", fsyncs,
                             f"{figure['rss_mib']:.0f}"])
        return rows, reached


HEAD = ["load", "server", "req/s", "min–max", "ratio", "mark", "p50 ms", "p99 ms", "server CPU %", "other CPU %",
        "fsync/s", "peak RSS MiB"]


def say(text):
    print(text, file=sys.stderr, flush=True)


def print_table(rows):
    print("| " + " | ".join(HEAD) + " |")
    print("| " + " | ".join(["---", "---"] + ["---:"] * (len(HEAD) - 2)) + " |")
    for row in rows:
        print("| " + " | ".join(row) + " |")


def print_conditions(options, directory):
    redis = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"v=(\S+)", redis).group(1)
    filesystem = subprocess.run(["findmnt", "-n", "-o", "FSTYPE", "-T", directory], capture_output=True, text=True,
                                check=True).stdout.strip()
    print(f"{os.cpu_count()} cores ({measure.cpu_model()}), Linux {platform.release()}, data on {filesystem}; "
          f"redis-server {version} with appendonly yes, appendfsync always and no automatic rewrite; "
          f"redis-benchmark -r {options.keys} -d {VALUE_BYTES}, medians of {options.runs} runs of about "
          f"{options.seconds:g} s, all on 127.0.0.1.\n")


def leader_and_follower(nodes):
    """The nodes of a cluster by role; INFO says who leads."""
    leaders = [node for node in nodes if re.search(r"^raft_role:leader\r?$", servers.ask(node.port, "INFO"), re.M)]
    leader = leaders[0] if leaders else nodes[0]
    return leader, next(node for node in nodes if node is not leader)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one short run a figure, fewer keys")
    parser.add_argument("--only", default="", metavar="REGEX", help="loads whose name matches, e.g. 'SET -c 50'")
    parser.add_argument("--runs", type=int, help="runs a figure (3; quick: 1)")
    parser.add_argument("--seconds", type=float, help="length of a run (4; quick: 1.5)")
    parser.add_argument("--keys", type=int, help="keys of the data set (1000000; quick: 100000)")
    parser.add_argument("--no-cluster", action="store_true", help="without the three-node rows")
    parser.add_argument("--dir", default=ROOT / "build", help="where the data lies: the disk that is measured")
    options = parser.parse_args()
    options.runs = options.runs or (1 if options.quick else 3)
    options.seconds = options.seconds or (1.5 if options.quick else 4)
    options.keys = options.keys or (100_000 if options.quick else 1_000_000)
    cells = [cell for cell in CELLS if re.search(options.only, cell.name)]
    if not cells:
        raise SystemExit(f"no load matches {options.only!r}; there are: {', '.join(c.name for c in CELLS)}")
    os.makedirs(options.dir, exist_ok=True)
    servers.end_on_signals()
    bench = Bench(options)
    with servers.Servers("bench-", options.dir) as running:
        # A rewrite forks a child that competes for the cores: off, in redis-server's favour.
        redis = running.redis(options=["--appendonly", "yes", "--appendfsync", "always",
                                       "--auto-aof-rewrite-percentage", "0"])
        (one,) = running.metastore(1)
        targets = [Target(REDIS, redis.port, [redis.pid]), Target(ONE, one.port, [one.pid])]
        for target in targets:
            bench.fill(target)
        bench.measure(cells, targets)
        running.stop([redis, one])
        if not options.no_cluster:
            nodes = running.metastore(3, "three")
            leader, follower = leader_and_follower(nodes)
            pids = [node.pid for node in nodes]
            targets = [Target("metaStore, three nodes, on the leader", leader.port, pids),
                       Target("metaStore, three nodes, on a follower", follower.port, pids)]
            bench.fill(targets[0])
            bench.measure(cells, targets)
    rows, reached = bench.rows(cells)
    print_conditions(options, options.dir)
    print_table(rows)
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
