"""ioredis and node-redis, installed by npm into build/compat as tests/compat/package-lock.json says."""

import functools
import pathlib
import shutil
import subprocess

from checks import Skip, check, output_of
from servers import HOST, ROOT

HERE = pathlib.Path(__file__).resolve().parent
MODULES = ROOT / "build" / "compat" / "node_modules"
INSTALL_LIMIT_S = 60


@functools.cache
def why_not_installed():
    """Installs the clients, once for a lock file; "" when they are there."""
    if not shutil.which("npm") or not shutil.which("node"):
        return "npm is not installed"
    directory = MODULES.parent
    directory.mkdir(parents=True, exist_ok=True)
    lock, installed = HERE / "package-lock.json", directory / "installed-lock.json"
    if MODULES.is_dir() and installed.is_file() and installed.read_bytes() == lock.read_bytes():
        return ""
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, directory / name)
    try:
        done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=directory,
                              capture_output=True, text=True, timeout=INSTALL_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return f"npm ci does not end in {INSTALL_LIMIT_S} s"
    if done.returncode:
        return "npm ci fails: " + " ".join(done.stderr.split())[:300]
    shutil.copy(lock, installed)
    return ""


def drive(server, client):
    if why_not_installed():
        raise Skip(why_not_installed())
    output_of(["node", HERE / "node_clients.js", client, HOST, server.port], env={"NODE_PATH": str(MODULES)})


@check("ioredis")
def ioredis(server):
    drive(server, "ioredis")


@check("node-redis")
def node_redis(server):
    drive(server, "node-redis")
