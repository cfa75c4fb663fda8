"""COMMAND INFO of every command that both know, as Debian's redis-server answers it."""

from checks import Check, Failure
from python_checks import connect

# Field of COMMAND INFO's reply -> its name. Flags, categories, tips and specifications are sets.
FIELDS = {1: "arity", 2: "flags", 3: "first key", 4: "last key", 5: "step", 6: "categories",
          7: "tips", 8: "key specifications"}
# What an option that came after that server's version changed.
NEWER = {("zrank", "arity"), ("zrevrank", "arity")}


def without_order(reply):
    """Sets come as lists, maps as lists of pairs in turn."""
    if isinstance(reply, (list, set, tuple)):
        return sorted((without_order(item) for item in reply), key=repr)
    return reply


def command(server, *args):
    """The reply as it is; the library makes a dictionary of its own of COMMAND's replies."""
    pool = connect(server).connection_pool
    connection = pool.get_connection("COMMAND")
    try:
        connection.send_command("COMMAND", *args)
        return connection.read_response()
    finally:
        connection.disconnect()


def names_of(server):
    return {name.decode() for name in command(server, "LIST")}


def compare(node_and_servers):
    node, running = node_and_servers
    reference = running.redis("reference-info")
    try:
        both = sorted(names_of(reference) & names_of(node))
        if len(both) < 150:
            raise Failure(f"only {len(both)} commands in common")
        different = []
        replies = zip(command(reference, "INFO", *both), command(node, "INFO", *both))
        for name, (a, b) in zip(both, replies):
            different += [f"{name}: {field}: redis-server {a[i]!r}, metaStore {b[i]!r}"
                          for i, field in FIELDS.items()
                          if without_order(a[i]) != without_order(b[i]) and (name, field) not in NEWER]
        if different:
            raise Failure("\n".join(different))
    finally:
        running.stop([reference])


CHECK = Check("COMMAND INFO of every common command as redis-server answers it", compare)
