"""What several clients do together: the same random conversations with metaStore and redis-server."""

import pathlib
import sys

from checks import Check, Failure, output_of
from servers import HOST

SECONDS = 15


def compare(node_and_servers):
    node, running = node_and_servers
    reference = running.redis("reference-talk", ["--enable-debug-command", "yes"])
    try:
        script = pathlib.Path(__file__).resolve().parent / "conversations.py"
        out = output_of([sys.executable, script, f"{HOST}:{reference.port}", f"{HOST}:{node.port}",
                         "--seconds", SECONDS], codes=(0, 1, 2), timeout_s=90).decode()
        if " 0 differences" not in out.splitlines()[-1]:
            raise Failure(out)
    finally:
        running.stop([reference])


CHECK = Check(f"conversations.py, {SECONDS} s of random conversations of several clients, as "
              "redis-server holds them", compare)
