#!/usr/bin/env python3
"""Runs real clients against one metaStore node and against each node of a cluster of three.

    tests/compat/run.py [--only REGEX] [--nodes 1|3] [--redis]

METASTORE names the binary (default ./metaStore). Every check prints one line; the exit code is 1
when one failed. --redis runs the checks against Debian's redis-server instead: what fails there is
a mistake in the check.
"""

import argparse
import os
import re
import sys
import time

try:
    import redis  # noqa: F401  only to find an interpreter that has it
except ImportError:
    # The package is Debian's python3-redis; the first python3 in PATH may be another Python.
    DEBIAN_PYTHON = "/usr/bin/python3"
    if os.path.realpath(sys.executable) == os.path.realpath(DEBIAN_PYTHON):
        sys.exit("python3-redis is not installed")
    os.execv(DEBIAN_PYTHON, [DEBIAN_PYTHON, *sys.argv])

import checks
# The order of the imports is the order in which the checks run.
import cli_checks  # noqa: F401
import python_checks  # noqa: F401
import http_checks  # noqa: F401
import node_checks  # noqa: F401
import cluster_checks
import command_info_check
import conversations_check
import differential_check
import dump_check
import failover_checks
import push_checks
import servers


class Report:
    def __init__(self, only):
        self.only = re.compile(only)
        self.passed = self.failed = self.skipped = 0

    def run(self, check, server):
        """Runs one check; `server` is what its function takes: a server, or a list that begins with one."""
        where = server.name if isinstance(server, servers.Server) else server[0].name
        if not self.only.search(f"{where}: {check.name}"):
            return
        started = time.monotonic()
        try:
            check.run(server)
        except checks.Skip as skip:
            self.skipped += 1
            print(f"skip  {where}: {check.name}: {skip}", flush=True)
        except Exception as error:  # whatever a client throws is a result
            self.failed += 1
            kind = "" if isinstance(error, checks.Failure) else f"{type(error).__name__}: "
            print(f"FAIL  {where}: {check.name}: {kind}{error}", flush=True)
        else:
            self.passed += 1
            print(f"ok    {where}: {check.name} ({time.monotonic() - started:.1f} s)", flush=True)

    def run_all(self, server):
        for check in checks.ALL:
            if server.http_port or not check.http:
                self.run(check, server)


def expect_running(nodes):
    """A node that ended while its checks ran is a failure of its own, with the end of its log."""
    for node in nodes:
        if node.process.poll() is not None:
            raise checks.Failure(f"{node.name} ended with {node.process.returncode}:\n{node.log_tail()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="REGEX", help="checks whose line matches")
    parser.add_argument("--nodes", type=int, choices=(1, 3), help="only one node, or only the cluster")
    parser.add_argument("--redis", action="store_true", help="against redis-server itself")
    options = parser.parse_args()
    servers.end_on_signals()
    report = Report(options.only)
    alive = checks.Check("every node still runs", expect_running)
    with servers.Servers("metastore-compat-") as running:
        if options.redis:
            report.run_all(running.redis())
        if not options.redis and options.nodes != 3:
            nodes = running.metastore(1, "one")
            report.run_all(nodes[0])
            report.run(command_info_check.CHECK, (nodes[0], running))
            report.run(dump_check.CHECK, (nodes[0], running))
            report.run(push_checks.CHECK, (nodes[0], running))
            report.run(conversations_check.CHECK, (nodes[0], running))
            report.run(differential_check.CHECK, (nodes[0], running))
            report.run(alive, nodes)
            running.stop(nodes)
        if not options.redis and options.nodes != 1:
            nodes = running.metastore(3, "three")
            for node in nodes:
                report.run_all(node)
            for check in cluster_checks.ALL:
                report.run(check, nodes)
            report.run(alive, nodes)
            report.run(cluster_checks.STOP_ONE, nodes)
            running.stop(nodes)
            report.run(differential_check.CLUSTER_CHECK, nodes)
            nodes = running.metastore(3, "discovery", extra=failover_checks.OPTIONS)
            for check in failover_checks.ALL:
                report.run(check, (nodes[0], nodes, running))
            report.run(alive, nodes)
            running.stop(nodes)
    print(f"{report.passed} passed, {report.failed} failed, {report.skipped} skipped")
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main())
