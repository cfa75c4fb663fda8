"""Runs one redis-benchmark command and measures what the servers under it spend."""

import csv
import io
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
SYNC_CALLS = "syscalls:sys_enter_fdatasync,syscalls:sys_enter_fsync"
PERF_ATTACH_S = 0.2
FIGURES = ["rps", "p50", "p99", "server_cpu", "other_cpu", "fsyncs", "rss_mib"]


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown CPU"


def can_count_fsyncs():
    """perf and the right to use its trace points are there."""
    if not shutil.which("perf"):
        return False
    return subprocess.run(["perf", "stat", "-e", SYNC_CALLS, "true"], capture_output=True, check=False).returncode == 0


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])  # user and system time
    return total / TICKS_PER_S


def machine_busy_seconds():
    user, nice, system, _, _, irq, softirq = map(
        int, pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:8])
    return (user + nice + system + irq + softirq) / TICKS_PER_S


def forget_peak_memory(pids):
    for pid in pids:
        pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_memory_mib(pids):
    total = 0
    for pid in pids:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                total += int(line.split()[1])
    return total / 1024


class SyncCounter:
    """Counts fsync and fdatasync of processes with perf."""

    def __init__(self, pids):
        self.output = tempfile.NamedTemporaryFile("r")
        self.process = subprocess.Popen(
            ["perf", "stat", "-x", ",", "-o", self.output.name, "-e", SYNC_CALLS, "-p", ",".join(map(str, pids))],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(PERF_ATTACH_S)
        except BaseException:  # the benchmark is told to end
            self.stop()
            raise

    def stop(self):
        """The count, or None when perf has none."""
        self.process.send_signal(signal.SIGINT)  # on which perf prints what it counted
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        counts = [line.split(",")[0] for line in self.output if "sys_enter" in line]
        self.output.close()
        return sum(map(int, counts)) if counts and all(count.isdigit() for count in counts) else None


def load(command, pids, count_fsyncs):
    """The figures of one run. Anything but a clean run of the load tool ends the benchmark."""
    forget_peak_memory(pids)
    counter = SyncCounter(pids) if count_fsyncs else None
    try:
        client, busy, server = os.times(), machine_busy_seconds(), cpu_seconds(pids)
        started = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wall_s = time.monotonic() - started
        server, busy = cpu_seconds(pids) - server, machine_busy_seconds() - busy
    finally:
        fsyncs = counter.stop() if counter else None
    after = os.times()
    tool = after.children_user + after.children_system - client.children_user - client.children_system
    rows = list(csv.DictReader(io.StringIO(done.stdout[done.stdout.find('"test"'):])))
    if done.returncode or len(rows) != 1 or "rror" in done.stderr:
        raise SystemExit(f"{' '.join(command)}: {(done.stderr + done.stdout)[-500:]}")
    return {
        "wall_s": wall_s,
        "rps": float(rows[0]["rps"]),
        "p50": float(rows[0]["p50_latency_ms"]),
        "p99": float(rows[0]["p99_latency_ms"]),
        "server_cpu": 100 * server / wall_s,
        # Neither the servers nor the load tool: the kernel's threads and whatever else runs here.
        "other_cpu": 100 * max(0, busy - server - tool) / wall_s,
        "fsyncs": None if fsyncs is None else fsyncs / wall_s,
        "rss_mib": peak_memory_mib(pids),
    }
