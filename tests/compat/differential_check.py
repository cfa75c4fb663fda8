"""The same random commands to metaStore and to Debian's redis-server, reply for reply."""

import pathlib
import sys

from checks import Check, Failure, output_of
from servers import HOST

COMMANDS = 40_000
CLUSTER_COMMANDS = 20_000
KILLS = 2


def compare(node_and_servers):
    node, running = node_and_servers
    reference = running.redis("reference", ["--enable-debug-command", "yes"])
    try:
        script = pathlib.Path(__file__).resolve().parent / "differential.py"
        out = output_of([sys.executable, script, f"{HOST}:{reference.port}", f"{HOST}:{node.port}",
                         "--commands", COMMANDS, "--events", "KEAn"], codes=(0, 1, 2), timeout_s=90).decode()
        if " 0 differences" not in out.splitlines()[-1]:
            raise Failure(out)
    finally:
        running.stop([reference])


def compare_through_kills(_):
    script = pathlib.Path(__file__).resolve().parent / "cluster_differential.py"
    output_of([sys.executable, script, "--commands", CLUSTER_COMMANDS, "--kills", KILLS],
              timeout_s=180)


CLUSTER_CHECK = Check(f"cluster_differential.py, {CLUSTER_COMMANDS} commands through a follower, "
                      f"{KILLS} leaders killed, replicas end byte-identical", compare_through_kills)
CHECK = Check(f"differential.py, {COMMANDS} random commands as redis-server answers them, with the "
              "same keyspace events", compare)
