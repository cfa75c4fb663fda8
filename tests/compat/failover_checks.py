"""Clients that look for the nodes by themselves, through Sentinel or Redis Cluster: each writes while
kill -9 ends the leader, follows the new one by its own means, and no write that it saw acknowledged is
lost."""

import contextlib
import json
import logging
import os
import shutil
import subprocess
import threading
import time

import redis
from redis.cluster import ClusterNode, RedisCluster
from redis.sentinel import Sentinel

import node_checks
from checks import TIMEOUT_S, Check, Failure, Skip, equal, output_of
from python_checks import connect
from servers import HOST

OPTIONS = ("--cluster-enabled", "yes")
WRITES_AFTER = 200  # of a client, after the leader has been killed
LIMIT_S = 30  # for a leader to be replaced, and for a node to be one of three again


def until(wanted, what):
    deadline = time.monotonic() + LIMIT_S
    while not wanted():
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not within {LIMIT_S} s")
        time.sleep(0.02)


def ask(node, *words):
    """The reply, or None where the node does not answer."""
    with contextlib.suppress(redis.RedisError), connect(node) as client:
        return client.execute_command(*words)
    return None


def owners(node):
    """The ports that have slots."""
    return {owner[1] for _, _, owner in ask(node, "CLUSTER SLOTS") or []}


def agreed(nodes):
    return all(owners(node) == {each.port for each in nodes} for node in nodes)


def leader_of(nodes):
    found = []

    def look():
        found[:] = [node for node in nodes if (ask(node, "ROLE") or [b""])[0] == b"master"]
        return len(found) == 1

    until(look, "one leader")
    return found[0]


class Round:
    """One client writes key after key; the leader is killed when it has written some."""

    def __init__(self, running, nodes):
        self.running, self.nodes = running, nodes
        until(lambda: agreed(nodes), "all slots with all nodes")
        connect(nodes[0]).flushall()
        # python3-redis 4.3 cannot make a connection anew to the first node that CLUSTER SLOTS names
        # ("cannot pickle '_thread.lock' object"), nor then look at the others, whatever the server.
        until(lambda: ask(nodes[0], "RAFT TRANSFER 2") == b"OK", "leadership for node 2")
        self.leader = leader_of(nodes)
        self.survivors = [node for node in nodes if node is not self.leader]

    def kill(self):
        self.running.kill(self.leader)

    def write(self, name, write_one):
        """`write_one(key, value)` returns when the write is acknowledged; an error is tried again, as a
        program would do."""
        written, errors, longest, last = 0, 0, 0.0, time.monotonic()
        killed_at = None
        while killed_at is None or written < killed_at + WRITES_AFTER:
            if killed_at is None and written == WRITES_AFTER:
                self.kill()
                killed_at = written
            try:
                write_one(f"{name}:{written}", str(written))
            except (redis.RedisError, OSError) as error:
                errors += 1
                if time.monotonic() - last > LIMIT_S:
                    raise Failure(f"{name}: no write for {LIMIT_S} s: {error!r}") from error
                time.sleep(0.02)
                continue
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
            written += 1
        return written, f"longest gap {longest * 1000:.0f} ms, {errors} errors tried again"

    def expect(self, name, written):
        """Both other nodes have every acknowledged write, and one of them leads."""
        keys = [f"{name}:{i}" for i in range(written)]
        for node in self.survivors:
            equal(connect(node).mget(keys), [b"%d" % i for i in range(written)], f"{name} on {node.name}")
        if leader_of(self.survivors) is self.leader:
            raise Failure("the dead node leads")

    def end(self):
        """Three nodes again."""
        if self.leader in self.nodes and self.leader.process.poll() is not None:
            self.nodes[self.nodes.index(self.leader)] = self.running.restart(self.leader)


def python_cluster(this):
    # It logs each connection that it loses.
    logging.getLogger("redis.cluster").setLevel(logging.CRITICAL)
    client = RedisCluster(startup_nodes=[ClusterNode(HOST, node.port) for node in this.nodes])
    written, told = this.write("python-cluster", client.set)
    equal({node.port for node in client.get_primaries()}, {node.port for node in this.survivors},
          "the nodes that the client knows afterwards")
    return written, told


def python_sentinel(this):
    sentinel = Sentinel([(HOST, node.port) for node in this.nodes], socket_timeout=1)
    equal(sentinel.discover_master("mymaster"), (HOST, this.leader.port), "the master")
    equal(sorted(sentinel.discover_slaves("mymaster")), sorted((HOST, node.port) for node in this.survivors),
          "the replicas")
    written, told = this.write("python-sentinel", sentinel.master_for("mymaster", socket_timeout=5).set)
    equal(sentinel.discover_master("mymaster"), (HOST, leader_of(this.survivors).port), "the new master")
    return written, told


def node_client(client):
    """A program of Node.js: it says when it wants the leader to be killed, and how it went."""

    def run(this):
        if node_checks.why_not_installed():
            raise Skip(node_checks.why_not_installed())
        command = ["node", node_checks.HERE / "node_failover.js", client, WRITES_AFTER,
                   *(node.port for node in this.nodes)]
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True,
                                   env=dict(os.environ, NODE_PATH=str(node_checks.MODULES)))
        timer = threading.Timer(TIMEOUT_S, process.kill)
        timer.start()
        try:
            if process.stdout.readline() != "kill\n":
                raise Failure(f"{client}: {process.communicate()[1]}")
            this.kill()
            if client == "node-redis-cluster":
                # It waits for a node that it knows until that is back, here as with Redis itself.
                until(lambda: owners(this.survivors[0]) == {node.port for node in this.survivors},
                      "the slots of the dead node with the others")
                this.end()
            out, err = process.communicate()
            if process.returncode:
                raise Failure(f"{client}: exit code {process.returncode}: {err or out}")
        finally:
            timer.cancel()
            process.kill()
            process.wait()
        result = json.loads(out.splitlines()[-1])
        return result["written"], f"longest gap {result['longestMs']} ms, {result['errors']} errors tried again"

    return run


def cli(this):
    """redis-cli -c, one process a write, at whatever node answers."""
    if not shutil.which("redis-cli"):
        raise Skip("redis-cli is not installed")

    def write(key, value):
        for node in this.nodes:
            reply = output_of(["redis-cli", "-c", "-h", HOST, "-p", node.port, "SET", key, value], codes=(0, 1))
            if reply.strip() == b"OK":
                return
        raise OSError(reply)

    return this.write("redis-cli", write)


CLIENTS = {
    "python3-redis RedisCluster": ("python-cluster", python_cluster),
    "python3-redis Sentinel": ("python-sentinel", python_sentinel),
    "ioredis Cluster": ("ioredis-cluster", node_client("ioredis-cluster")),
    "ioredis with Sentinels": ("ioredis-sentinel", node_client("ioredis-sentinel")),
    "node-redis cluster": ("node-redis-cluster", node_client("node-redis-cluster")),
    "redis-cli -c": ("redis-cli", cli),
}


def check_of(title):
    key, drive = CLIENTS[title]

    def run(nodes_and_servers):
        _, nodes, running = nodes_and_servers
        this = Round(running, nodes)
        try:
            written, told = drive(this)
            this.expect(key, written)
            print(f"      {title}: {told}", flush=True)
        finally:
            this.end()

    return Check(f"{title} through kill -9 of the leader", run)


ALL = [check_of(title) for title in CLIENTS]
