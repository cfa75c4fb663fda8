"""Debian's redis-cli, in each of its modes, and redis-benchmark."""

import csv
import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from checks import Failure, check, contains, equal, output_of
from servers import HOST

PIPE_COMMANDS = 100_000
BENCHMARK_REQUESTS = 4000
WATCH_S = 1.5  # --latency and --stat have no end of their own


def cli(server, *arguments, stdin=b"", **options):
    return output_of(["redis-cli", "-h", HOST, "-p", server.port, *arguments], stdin, **options)


def resp_command(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


@check("redis-cli, single commands")
def single_commands(server):
    cli(server, "DEL", "cli:a", "cli:n", "cli:b")
    equal(cli(server, "PING"), b"PONG\n", "PING")
    equal(cli(server, "SET", "cli:a", "one two"), b"OK\n", "SET")
    equal(cli(server, "GET", "cli:a"), b"one two\n", "GET")
    equal(cli(server, "--no-raw", "GET", "cli:none"), b"(nil)\n", "GET of no key")
    equal(cli(server, "--no-raw", "INCRBY", "cli:n", "41"), b"(integer) 41\n", "INCRBY")
    equal(cli(server, "-r", "3", "INCR", "cli:n"), b"42\n43\n44\n", "-r 3 INCR")
    equal(cli(server, "--no-raw", "MGET", "cli:a", "cli:none"), b'1) "one two"\n2) (nil)\n', "MGET")
    equal(cli(server, "-n", "1", "EXISTS", "cli:a"), b"0\n", "EXISTS in database 1")
    equal(cli(server, "-x", "SET", "cli:b", stdin=b"\x00\xff\r\n"), b"OK\n", "-x SET")
    equal(cli(server, "--no-raw", "GET", "cli:b"), b'"\\x00\\xff\\r\\n"\n', "GET of bytes")
    contains(cli(server, "INCR", "cli:a"), b"ERR value is not an integer or out of range", "INCR of text")
    contains(cli(server, "NOSUCH", "x"), b"ERR unknown command 'NOSUCH'", "unknown command")


@check("redis-cli, commands on standard input")
def script_on_stdin(server):
    script = b"SET cli:s 5\nINCR cli:s\nGET cli:s\nDEL cli:s\n"
    equal(cli(server, stdin=script), b"OK\n6\n6\n1\n", "replies")


@check("redis-cli -3 (RESP3)")
def resp3(server):
    hello = cli(server, "-3", "--no-raw", "HELLO").decode()
    contains(hello, '"proto" => (integer) 3', "HELLO")
    cli(server, "DEL", "cli:none")
    equal(cli(server, "-3", "--no-raw", "GET", "cli:none"), b"(nil)\n", "GET of no key")
    contains(cli(server, "-3", "--no-raw", "CONFIG", "GET", "maxclients"), b'1# "maxclients" => ',
             "CONFIG GET is a map")


@check("redis-cli, interactive")
def interactive(server):
    """Typed into a terminal: prompt, replies, help from COMMAND DOCS, a history, and exit."""
    process, terminal = pty.fork()
    if process == 0:
        os.environ.update(TERM="xterm", HOME="/nonexistent")
        os.execvp("redis-cli", ["redis-cli", "-h", HOST, "-p", str(server.port)])
    # Without a size the line editor would ask the terminal for one, and nobody would answer.
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    try:
        prompt = f"{HOST}:{server.port}> "
        read_until(terminal, prompt, "the prompt")
        for typed, shown in [("set cli:i 'a b'", "OK"), ("get cli:i", '"a b"'), ("del cli:i", "(integer) 1"),
                             ("get cli:i", "(nil)"), ("set cli:i", "(error) ERR wrong number of arguments"),
                             ("help getdel", "summary:"), ("select 3", f"{HOST}:{server.port}[3]> "),
                             ("select 0", "OK")]:
            os.write(terminal, typed.encode() + b"\r")
            read_until(terminal, shown, typed)
        os.write(terminal, b"exit\r")
        deadline = time.monotonic() + 10
        while os.waitpid(process, os.WNOHANG)[0] == 0:
            drain(terminal)
            if time.monotonic() > deadline:
                raise Failure("exit does not end it")
        process = 0
    finally:
        if process:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
        os.close(terminal)


def drain(terminal):
    """What the terminal shows next, or "" when nothing comes for a moment."""
    if not select.select([terminal], [], [], 0.1)[0]:
        return ""
    try:
        return os.read(terminal, 65536).decode(errors="replace")
    except OSError:  # the program has closed it
        time.sleep(0.01)
        return ""


def read_until(terminal, text, what):
    """Reads until `text` stands after the line that was typed, and the prompt for the next one.

    What is typed before that prompt is lost: the line editor empties the input when it starts.
    """
    shown = ""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        shown += drain(terminal)
        # The line editor paints the typed line again at each key; what follows the last one counts.
        plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", shown).rsplit(what + "\r\n", 1)[-1]
        if text in plain and re.search(r":\d+(\[\d+\])?> \s*$", plain):
            return
    raise Failure(f"{what}: {text!r} does not appear in {shown[-300:]!r}")


@check(f"redis-cli --pipe, {PIPE_COMMANDS} commands, then --scan and FLUSHALL")
def mass_insertion(server):
    cli(server, "FLUSHALL")
    commands = b"".join(resp_command(b"SET", b"pipe:%d" % i, b"value of %d" % i)
                        for i in range(PIPE_COMMANDS))
    report = cli(server, "--pipe", stdin=commands).decode()
    contains(report, f"errors: 0, replies: {PIPE_COMMANDS}", "report")
    equal(cli(server, "DBSIZE"), b"%d\n" % PIPE_COMMANDS, "DBSIZE")
    equal(cli(server, "GET", "pipe:77777"), b"value of 77777\n", "GET")
    scanned = cli(server, "--scan", "--pattern", "pipe:9999?").split()
    equal(sorted(scanned), [b"pipe:%d" % i for i in range(99990, 100000)], "--scan --pattern")
    equal(len(set(cli(server, "--scan").split())), PIPE_COMMANDS, "keys of --scan")
    equal(cli(server, "FLUSHALL"), b"OK\n", "FLUSHALL")
    equal(cli(server, "DBSIZE"), b"0\n", "DBSIZE after FLUSHALL")


@check("redis-cli --pipe with a wrong command in it")
def mass_insertion_with_error(server):
    commands = resp_command(b"SET", b"cli:p", b"x") + resp_command(b"INCR", b"cli:p") * 2
    report = cli(server, "--pipe", stdin=commands, codes=(0, 1)).decode()
    contains(report, "errors: 2, replies: 3", "report")
    cli(server, "DEL", "cli:p")


@check("redis-cli --bigkeys and --memkeys")
def big_keys(server):
    cli(server, "FLUSHALL")
    cli(server, "MSET", "cli:small", "x", "cli:middle", "x" * 100)
    cli(server, "-x", "SET", "cli:big", stdin=b"x" * 100_000)
    report = cli(server, "--bigkeys").decode()
    contains(report, "Sampled 3 keys in the keyspace!", "report")
    contains(report, "Biggest string found '\"cli:big\"' has 100000 bytes", "report")
    contains(cli(server, "--memkeys").decode(), "Biggest string found '\"cli:big\"'", "--memkeys")
    cli(server, "DEL", "cli:small", "cli:middle", "cli:big")


@check("redis-cli --latency")
def latency(server):
    report = watch(server, "--latency")
    numbers = re.findall(r"\d+ \d+ (\d+\.\d+) (\d+)", report)
    if not numbers or int(numbers[-1][1]) < 20:
        raise Failure(f"fewer than 20 samples: {report[-200:]!r}")


@check("redis-cli --stat")
def stat(server):
    report = watch(server, "--stat", "-i", "0.2")
    rows = [line.split() for line in report.splitlines() if re.match(r"\d+ +\d", line)]
    if len(rows) < 3:
        raise Failure(f"fewer than 3 rows: {report[-300:]!r}")
    first, last = rows[0], rows[-1]
    # keys, memory, clients, blocked, requests (+ delta), connections
    if not re.fullmatch(r"[\d.]+[BKMG]", last[1]) or last[1].startswith("0"):
        raise Failure(f"no memory figure: {last}")
    if int(last[4]) <= int(first[4]) or int(last[2]) < 1:
        raise Failure(f"requests do not grow or no client is counted: {first} … {last}")


def watch(server, *arguments):
    # Into a pipe --stat would keep its lines until the buffer is full.
    command = ["stdbuf", "-oL", "redis-cli", "-h", HOST, "-p", str(server.port), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        time.sleep(WATCH_S)
        process.send_signal(signal.SIGTERM)
        return process.communicate(timeout=10)[0].decode(errors="replace")


@check("redis-benchmark, string tests, -P 1 and -P 16")
def benchmark(server):
    for depth in (1, 16):
        table = output_of(["redis-benchmark", "-h", HOST, "-p", server.port, "--csv", "-P", depth,
                           "-t", "ping,set,get,incr,mset", "-n", BENCHMARK_REQUESTS, "-r", "1000",
                           "-d", "64"]).decode()
        rows = list(csv.DictReader(io.StringIO(table[table.find('"test"'):])))
        equal([row["test"] for row in rows],
              ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET (10 keys)"], f"-P {depth}")
        if any(float(row["rps"]) <= 0 for row in rows):
            raise Failure(f"-P {depth}: a rate of 0 in {table}")
    # INCR of 1,000 random keys, 2 * BENCHMARK_REQUESTS times in all: each once, none lost.
    counters = cli(server, "--scan", "--pattern", "counter:*").split()
    values = cli(server, "MGET", *[key.decode() for key in counters]).split()
    equal(sum(map(int, values)), 2 * BENCHMARK_REQUESTS, "sum of the counters")
    cli(server, "FLUSHALL")
