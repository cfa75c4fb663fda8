"""What only several nodes can get wrong: a client may use any of them, and they must agree."""

import threading

import redis

import http_checks
from checks import Check, equal
from python_checks import connect

INCREMENTS = 300


def reads_see_writes_of_other_nodes(nodes):
    clients = [connect(node) for node in nodes]
    for turn in range(60):
        writer = clients[turn % 3]
        writer.set("cluster:turn", turn)
        for node, client in zip(nodes, clients):
            equal(client.get("cluster:turn"), b"%d" % turn, f"{node.name} after write {turn}")
    clients[0].delete("cluster:turn")


def increments_from_all_nodes_add_up(nodes):
    replies = [[] for _ in nodes]

    def increment(node, seen):
        client = connect(node)
        for _ in range(INCREMENTS):
            seen.append(client.incr("cluster:counter"))

    connect(nodes[0]).delete("cluster:counter")
    threads = [threading.Thread(target=increment, args=pair) for pair in zip(nodes, replies)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Each reply once: no increment was lost, none was done twice.
    equal(sorted(sum(replies, [])), list(range(1, 3 * INCREMENTS + 1)), "the replies")
    for node in nodes:
        equal(connect(node).getdel("cluster:counter") in (b"%d" % (3 * INCREMENTS), None), True, node.name)


def http_and_redis_protocol_share_the_keys(nodes):
    equal(http_checks.curl(nodes[0], "/cluster:h", "-L", "-XPUT", "-d", "bar")[0], 204, "PUT on node 1")
    for node in nodes:
        equal(http_checks.curl(node, "/cluster:h", "-L"), (200, b"bar"), f"GET on {node.name}")
        equal(connect(node).get("cluster:h"), b"bar", f"GET on {node.name}")
    equal(http_checks.curl(nodes[2], "/cluster:h", "-XDELETE")[0], 204, "DELETE on node 3")
    equal(http_checks.curl(nodes[1], "/cluster:h")[0], 404, "GET on node 2 after it")


def a_node_that_is_stopped_is_not_missed(nodes):
    """SIGTERM to the last node: the others go on, without an error to a client."""
    nodes[2].process.terminate()
    for i in range(200):
        for node in nodes[:2]:
            client = connect(node)
            equal(client.set(f"cluster:s:{i}", node.name), True, f"SET on {node.name}")
            equal(client.get(f"cluster:s:{i}"), node.name.encode(), f"GET on {node.name}")
            client.close()
    nodes[2].process.wait(15)
    equal(nodes[2].process.returncode, 0, f"exit code of {nodes[2].name}")
    try:
        connect(nodes[2]).ping()
    except redis.ConnectionError:
        return
    raise AssertionError(f"{nodes[2].name} still answers")


ALL = [
    Check("a read on any node sees the write before it on another", reads_see_writes_of_other_nodes),
    Check(f"{3 * INCREMENTS} increments through three nodes add up", increments_from_all_nodes_add_up),
    Check("HTTP and the Redis protocol share the keys on every node", http_and_redis_protocol_share_the_keys),
]
STOP_ONE = Check("a node that is stopped is not missed", a_node_that_is_stopped_is_not_missed)
