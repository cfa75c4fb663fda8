#!/usr/bin/env python3
"""The differential run through a follower of three nodes whose leader is killed again and again.

    tests/compat/cluster_differential.py [--commands N] [--seed S] [--kills K] [--groups NAME...]

Clients of the node that stays see redis-server's replies and no error. At the end the three nodes
are stopped, and `metaStore check` must find each clean and show the same state for all of them.
"""

import argparse
import contextlib
import random
import re
import subprocess
import sys
import threading
import time

import servers
from differential import Failure, Run
from generators.mix import GROUPS

SETTLE_TIMEOUT_S = 60


def info(node, section):
    return dict(line.split(":", 1) for line in servers.ask(node.port, f"INFO {section}").splitlines()
                if ":" in line)


def role(node):
    with contextlib.suppress(OSError):
        return info(node, "replication").get("role", "")
    return ""


class Killer(threading.Thread):
    """Kills the leader, unless it is the node under test: that one then hands its leadership over."""

    def __init__(self, running, nodes, kills, pause_s, rng):
        super().__init__(daemon=True)
        self.running, self.nodes = running, nodes
        self.kills, self.pause_s, self.rng = kills, pause_s, rng
        self.done = 0
        self.stop = threading.Event()
        self.error = None

    def run(self):
        try:
            while self.done < self.kills and not self.stop.wait(self.pause_s):
                self.kill_one()
        except Exception as error:  # told by the main thread
            self.error = error

    def kill_one(self):
        tested = self.nodes[0]
        if role(tested) == "master":
            servers.ask(tested.port, f"RAFT TRANSFER {self.rng.choice([2, 3])}", 10)
            return
        for i in (1, 2):
            if role(self.nodes[i]) == "master":
                self.running.kill(self.nodes[i])
                time.sleep(self.rng.uniform(0.5, 2))
                self.nodes[i] = self.running.restart(self.nodes[i])
                self.done += 1
                return


def state_of(node):
    checked = subprocess.run([servers.metastore_binary(), "check", "--data-dir", str(node.data)],
                             capture_output=True, text=True, timeout=120)
    if checked.returncode != 0:
        raise Failure(f"check of {node.name}:\n{checked.stdout}{checked.stderr}")
    return re.search(r"state ([0-9a-f]{16})", checked.stdout).group(1)


def settle(nodes):
    """Until all have applied the same, and what was deleted is gone."""
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    last = None
    while time.monotonic() < deadline:
        now = [info(node, "raft")["raft_applied_index"] for node in nodes]
        if now == last and len(set(now)) == 1:
            return
        last = now
        time.sleep(1)
    raise Failure(f"the nodes do not come to rest: applied {last}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--commands", type=int, default=100000)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--pause", type=float, default=3, help="seconds between kills")
    parser.add_argument("--groups", nargs="+", choices=[group.name for group in GROUPS])
    options = parser.parse_args()
    # Times of the two servers run apart while nobody leads.
    options.tolerance_ms, options.differences, options.events = 10000, 1, None
    servers.end_on_signals()
    print(f"seed {options.seed}", flush=True)
    with servers.Servers("metastore-differential-") as running:
        nodes = running.metastore(3, "three")
        reference = running.redis("reference", ["--enable-debug-command", "yes"])
        options.reference = f"{servers.HOST}:{reference.port}"
        options.tested = f"{servers.HOST}:{nodes[0].port}"
        killer = Killer(running, nodes, options.kills, options.pause, random.Random(options.seed))
        run = Run(options)
        killer.start()
        differences = run.go()
        if differences == 0:
            # What is left of the kills, beside further commands.
            while killer.is_alive():
                run.options.commands = run.sent + 100
                differences = run.go()
        killer.stop.set()
        killer.join()
        if killer.error:
            raise killer.error
        states = []
        if differences == 0:
            settle(nodes)
            running.stop(nodes)
            states = [state_of(node) for node in nodes]
        print(f"{run.sent} commands, {killer.done} leaders killed, {differences} differences, "
              f"states {' '.join(states)} (seed {options.seed})")
        return 0 if differences == 0 and len(set(states)) == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
