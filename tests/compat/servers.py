"""Starts and stops the servers that the checks and the benchmark talk to.

Every server gets free ports of 127.0.0.1 and a fresh directory. Leaving a `Servers` block stops
all of them and removes the directories, also when the program is told to end (see `end_on_signals`).
"""

import contextlib
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass

HOST = "127.0.0.1"
ROOT = pathlib.Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 15
# Below the range from which Linux takes the ports of outgoing connections, so that no client
# takes a port between the moment it is found free and the moment its server binds it.
PORTS = range(12000, 32000)


def metastore_binary():
    return os.path.abspath(os.environ.get("METASTORE", ROOT / "metaStore"))


def end_on_signals():
    """SIGTERM ends the program as Ctrl-C does: through the `finally` blocks."""

    def end(number, _frame):
        signal.signal(number, signal.SIG_IGN)
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)


def free_ports(count):
    """Ports that nobody listens on, all different."""
    with contextlib.ExitStack() as held:
        ports = []
        while len(ports) < count:
            probe = held.enter_context(socket.socket())
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            port = random.choice(PORTS)
            with contextlib.suppress(OSError):
                probe.bind((HOST, port))
                ports.append(port)
        return ports


def ask(port, line, timeout_s=5):
    """Sends one inline command and returns the start of the reply, for waiting and INFO."""
    with socket.create_connection((HOST, port), timeout=timeout_s) as connection:
        connection.sendall(line.encode() + b"\r\n")
        reply = connection.recv(65536)
        if reply[:1] == b"$" and reply[:2] != b"$-":
            head, _, body = reply.partition(b"\r\n")
            while len(body) < int(head[1:]) + 2:
                more = connection.recv(65536)
                if not more:
                    raise ConnectionError(f"the reply to {line} ends early")
                body += more
            return body[:-2].decode(errors="replace")
        return reply.decode(errors="replace").rstrip()


@dataclass
class Server:
    name: str
    process: subprocess.Popen
    port: int  # Redis protocol
    http_port: int  # 0: none
    output: pathlib.Path  # what it prints and logs
    command: list  # how it was started

    @property
    def pid(self):
        return self.process.pid

    @property
    def data(self):
        """The data directory of a metaStore node."""
        return pathlib.Path(self.command[self.command.index("--data-dir") + 1])

    def log_tail(self, lines=15):
        return "\n".join(self.output.read_text(errors="replace").splitlines()[-lines:])


class Servers:
    def __init__(self, prefix="metastore-", parent=None):
        """`parent` is where the directory of all data is made: the system's choice when None."""
        self.prefix = prefix
        self.parent = parent

    def __enter__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=self.prefix, dir=self.parent))
        self.all = []
        return self

    def __exit__(self, *_):
        self.stop(self.all)
        shutil.rmtree(self.directory, ignore_errors=True)

    def metastore(self, count=1, name="one", extra=()):
        """A cluster of `count` nodes, ready for writes on each of them."""
        if not os.access(metastore_binary(), os.X_OK):
            raise SystemExit(f"{metastore_binary()} is not there: build it, or name it in METASTORE")
        peers, redis_ports, http_ports = (free_ports(3 * count)[i::3] for i in range(3))
        cluster = ",".join(f"http://{HOST}:{port}" for port in peers)
        nodes = []
        for index in range(count):
            label = f"{name}-{index + 1}" if count > 1 else name
            command = [metastore_binary(), "--id", str(index + 1), "--cluster", cluster,
                       "--port", str(http_ports[index]), "--redis-port", str(redis_ports[index]),
                       "--data-dir", str(self.directory / label), *extra]
            nodes.append(self._start(label, command, redis_ports[index], http_ports[index]))
        for node in nodes:
            self._wait_for(node, "SET probe:write 1", "+OK")
        ask(nodes[0].port, "DEL probe:write")
        return nodes

    def redis(self, name="redis", options=()):
        """Debian's redis-server, without persistence unless `options` ask for it."""
        if not shutil.which("redis-server"):
            raise SystemExit("redis-server is not installed")
        (port,) = free_ports(1)
        directory = self.directory / name
        directory.mkdir()
        command = ["redis-server", "--bind", HOST, "--port", str(port), "--dir", str(directory),
                   "--save", "", *options]
        server = self._start(name, command, port, 0)
        self._wait_for(server, "PING", "+PONG")
        return server

    def stop(self, servers):
        """Ends the servers as an operator would; what does not end in time is killed."""
        for server in servers:
            with contextlib.suppress(ProcessLookupError):
                server.process.terminate()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for server in servers:
            try:
                server.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                server.process.kill()
                server.process.wait()
        self.all = [server for server in self.all if server not in servers]

    def kill(self, server):
        """kill -9."""
        server.process.kill()
        server.process.wait()
        self.all.remove(server)

    def restart(self, server):
        """Starts a server again that has ended, as it was started before, and waits for it."""
        again = self._start(server.name, server.command, server.port, server.http_port)
        self._wait_for(again, "PING", "+PONG")
        return again

    def _start(self, name, command, port, http_port):
        output = self.directory / f"{name}.log"
        with open(output, "ab") as log:
            # A process group of its own: Ctrl-C comes to this program, which stops it in order.
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT,
                                       stdin=subprocess.DEVNULL, start_new_session=True)
        server = Server(name, process, port, http_port, output, command)
        self.all.append(server)
        return server

    def _wait_for(self, server, line, reply):
        deadline = time.monotonic() + START_TIMEOUT_S
        last = "no answer"
        while time.monotonic() < deadline and server.process.poll() is None:
            with contextlib.suppress(OSError):
                last = ask(server.port, line)
                if last == reply:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"{server.name} does not answer {line!r} with {reply!r} (last: {last}):\n"
                           + server.log_tail())
