"""What the two servers say of their commands: COMMAND INFO, COMMAND GETKEYS and GETKEYSANDFLAGS of
every command that both know, and that metaStore knows every command that is about data."""

import random

from checks import Check, Failure
from differential import Connection
from servers import HOST

# Field of COMMAND INFO's reply -> its name. Flags, categories, tips and specifications are sets.
FIELDS = {1: "arity", 2: "flags", 3: "first key", 4: "last key", 5: "step", 6: "categories",
          7: "tips", 8: "key specifications"}
# What an option that came after that server's version changed: WITHSCORE of Redis 7.2.
NEWER = {("zrank", "arity"), ("zrevrank", "arity")}

DATA_GROUPS = {b"string", b"list", b"set", b"sorted-set", b"hash", b"stream", b"geo", b"bitmap",
               b"hyperloglog", b"generic"}
# Of these groups, but not here. A name that is here after all must go from this list.
ABSENT = {
    b"migrate": "connects to other servers, which the apply of a log entry must not",
}

# Words that decide where keys are, and others.
WORDS = [b"STORE", b"STOREDIST", b"STREAMS", b"LIMIT", b"GET", b"BY", b"WEIGHTS", b"AGGREGATE", b"COUNT",
         b"BLOCK", b"GROUP", b"LEFT", b"WITHSCORES", b"KEYS", b"REPLACE", b"DB", b"SET", b"INCRBY", b"u8",
         b"EX", b"0", b"1", b"2", b"3", b"-1", b"x", b"9999999999", b"key", b"other", b"{tag}1", b""]
CALLS = 150  # of each command
BATCH = 500


def ask(connection, commands):
    """The replies, pipelined."""
    replies = []
    for i in range(0, len(commands), BATCH):
        connection.send(commands[i:i + BATCH])
        replies += [connection.read() for _ in commands[i:i + BATCH]]
    return replies


def without_order(reply):
    """Sets come as lists, maps as lists of pairs in turn."""
    kind, value = reply
    if isinstance(value, tuple):
        return "*", tuple(sorted((without_order(item) for item in value), key=repr))
    return kind, value


def names_of(connection):
    return {name for _, name in ask(connection, [[b"COMMAND", b"LIST"]])[0][1]}


def info_differences(reference, node, names):
    ours, theirs = (ask(connection, [[b"COMMAND", b"INFO"] + names])[0][1] for connection in (node, reference))
    for name, (_, a), (_, b) in zip(names, theirs, ours):
        for i, field in FIELDS.items():
            if without_order(a[i]) != without_order(b[i]) and (name.decode(), field) not in NEWER:
                yield f"{name.decode()}: {field}: redis-server {a[i]!r}, metaStore {b[i]!r}"


def key_calls(rng, names, arities):
    """Each command with arguments among which there may be keys, and words that say where."""
    for name in names:
        words = name.split(b"|")
        least = abs(arities[name])
        for _ in range(CALLS):
            # Sometimes too few, and more than the fixed number.
            size = max(len(words), least - 1 + rng.randrange(1 if least > 1 else 2, 8))
            if rng.randrange(4) == 0:
                size = max(len(words), least + rng.randrange(-1, 2))
            yield [rng.choice([b"GETKEYS", b"GETKEYSANDFLAGS"]), *words] + [
                rng.choice(WORDS) for _ in range(size - len(words))]


def key_differences(reference, node, names, seed):
    infos = ask(reference, [[b"COMMAND", b"INFO"] + names])[0][1]
    arities = {name: int(info[1][1][1]) for name, info in zip(names, infos)}
    calls = [[b"COMMAND"] + call for call in key_calls(random.Random(seed), names, arities)]
    for call, a, b in zip(calls, ask(reference, calls), ask(node, calls)):
        if a != b and without_order(a) != without_order(b):
            if (call[2].decode(), "arity") in NEWER and len(call) - 2 > arities[call[2]]:
                continue
            yield f"{b' '.join(call)!r}: redis-server {a!r}, metaStore {b!r}"


def data_commands(connection):
    """Names of the commands of data groups, with their subcommands."""
    names = set()
    docs = ask(connection, [[b"COMMAND", b"DOCS"]])[0][1]
    for (_, name), (_, fields) in zip(docs[::2], docs[1::2]):
        known = {key: value for (_, key), (_, value) in zip(fields[::2], fields[1::2])}
        if known[b"group"] in DATA_GROUPS:
            names.add(name)
            names |= {sub for _, sub in known.get(b"subcommands", ())[::2]}
    return names


def compare(node_and_servers):
    node, running = node_and_servers
    server = running.redis("reference-info")
    seed = random.randrange(2**32)
    try:
        reference, tested = (Connection(f"{HOST}:{each.port}", each.name) for each in (server, node))
        theirs, ours = names_of(reference), names_of(tested)
        both = sorted(theirs & ours)
        different = [f"{name.decode()}: is not there"
                     for name in sorted(data_commands(reference) - ours - set(ABSENT))]
        different += [f"{name.decode()}: is there, although the check says why not"
                      for name in sorted(ours & set(ABSENT))]
        different += info_differences(reference, tested, both)
        leaves = [name for name in both if not any(other.startswith(name + b"|") for other in both)]
        different += key_differences(reference, tested, leaves, seed)
        if different:
            raise Failure(f"seed {seed}\n" + "\n".join(different))
    finally:
        running.stop([server])


CHECK = Check("COMMAND INFO, GETKEYS and the list of data commands as redis-server answers them", compare)
