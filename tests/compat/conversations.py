#!/usr/bin/env python3
"""Holds the same random conversations of several clients with a redis-server and a metaStore.

    tests/compat/conversations.py 127.0.0.1:6400 127.0.0.1:6379 --steps 100000 --seed 7

In each step one client sends a command or a few; then all that every client has received since is
compared: replies, messages, invalidations. Clients speak RESP2 and RESP3. Both servers are flushed
before each conversation, and hold the same data in the end. The topics are in
generators/conversations.py.

A step is over when the client that spoke has its replies, or waits according to CLIENT LIST, and a
message of an observer has gone through the log, behind which comes whatever the step caused. What
differs then is looked at again for --patience seconds: a client that waits is served by an entry
of its own in metaStore's log, and one that is served may feed another.

The exit code is 0 when nothing differed, 1 when something did, 2 when a server could not be used.
Conversation N of seed S is held alone with --seed S --only N.
"""

import argparse
import os
import random
import select
import socket
import sys
import time

from differential import Connection, Failure, before_quote, show
from generators.conversations import TOPICS
from generators.mix import GROUPS, Mix

STEPS = 60           # of a conversation
STEP_TIMEOUT_S = 20
SHOWN_STEPS = 60
END = ("end", b"the connection is closed")


class Incomplete(Exception):
    """More of the reply is to come."""


def parse(data, at):
    """A reply of `data` at `at` as differential.Connection reads it, and where it ends."""
    end = data.find(b"\r\n", at)
    if end < 0:
        raise Incomplete
    kind, rest = chr(data[at]), bytes(data[at + 1:end])
    at = end + 2
    if kind in "+-:,#(":
        return (kind, rest), at
    if kind == "_":
        return (kind, None), at
    if kind in "$=!":
        size = int(rest)
        if size < 0:
            return (kind, None), at
        if len(data) < at + size + 2:
            raise Incomplete
        return (kind, bytes(data[at:at + size])), at + size + 2
    if kind in "*~>%":
        count = int(rest)
        if count < 0:
            return (kind, None), at
        items = []
        for _ in range(count * (2 if kind == "%" else 1)):
            item, at = parse(data, at)
            items.append(item)
        return (kind, tuple(items)), at
    raise Failure(f"a reply of no known type: {kind}{rest!r}")


class Client:
    """A client of one server."""

    def __init__(self, address, name, protocol):
        connection = Connection(address, name)
        if protocol == 3:
            connection.call("HELLO", "3")
        self.id = connection.call("CLIENT", "ID")[1]
        self.connection = connection
        self.socket = connection.socket
        self.socket.setblocking(False)
        self.data = bytearray()
        self.received = []
        self.closed = False

    def send(self, commands):
        self.socket.setblocking(True)
        try:
            self.connection.send(commands)
        except OSError:
            self.closed = True
        self.socket.setblocking(False)

    def pump(self):
        """Takes whatever has come."""
        ended = False
        try:
            while not self.closed:
                data = self.socket.recv(1 << 20)
                if not data:
                    ended = True
                    break
                self.data += data
        except BlockingIOError:
            pass
        except OSError:
            ended = True
        at = 0
        try:
            while at < len(self.data):
                reply, at = parse(self.data, at)
                self.received.append(reply)
        except Incomplete:
            pass
        del self.data[:at]
        if ended and not self.closed:
            self.closed = True
            self.received.append(END)

    def close(self):
        self.closed = True
        self.connection.reader.close()  # it holds the descriptor
        self.socket.close()


class Side:
    """One server and the clients that it has in a conversation."""

    def __init__(self, address, name):
        self.address, self.name = address, name
        self.observer = Connection(address, name)
        self.clients = {}

    def begin(self, protocols):
        for client in self.clients.values():
            client.close()
        self.observer.call("CONFIG", "SET", "notify-keyspace-events", "")
        self.observer.call("SELECT", "0")
        self.observer.call("FLUSHALL")
        self.clients = {name: Client(self.address, self.name, protocol)
                        for name, protocol in protocols.items()}

    def with_ids(self, command):
        ids = {b"$" + name.encode(): client.id for name, client in self.clients.items()}
        return [ids.get(arg, arg) for arg in command]

    def blocked(self, name):
        kind, value = self.observer.call("CLIENT", "LIST", "ID", self.clients[name].id)
        if kind not in "$=":
            raise Failure(f"{self.name}: CLIENT LIST: {value!r}")
        flags = value.partition(b" flags=")[2].partition(b" ")[0]
        return b"b" in flags

    def listed(self, name):
        return bool(self.observer.call("CLIENT", "LIST", "ID", self.clients[name].id)[1].strip())

    def barrier(self):
        # Twice: replies of one turn leave in no order of their own.
        self.observer.call("SPUBLISH", "~barrier", "")
        self.observer.call("PING")
        for client in self.clients.values():
            client.pump()


class State:
    """What is known of a client, by what the reference replied."""

    def __init__(self, protocol):
        self.protocol = protocol
        self.queue = None       # commands in MULTI
        self.last_queue = []
        self.waits = None       # the commands of a client that is blocked
        self.gone = False
        self.marks = 0
        self.db = 0
        self.watched = []       # (database, key, whether it was there)


def is_mark(reply):
    kind, value = reply
    if kind == "$":
        return value is not None and value.startswith(b"~mark")
    return (kind == "*" and value is not None and len(value) == 2 and value[0] == ("$", b"pong")
            and value[1][1].startswith(b"~mark"))


class Conversation:
    def __init__(self, sides, seed, options):
        self.sides, self.options = sides, options
        self.rng = random.Random(seed)
        self.mix = Mix(self.rng)
        names = options.topics or list(TOPICS)
        self.title = self.rng.choice(sorted(names))
        self.topic = TOPICS[self.title](self)
        protocols = {name: self.rng.choice([2, 3]) if protocol == 0 else protocol
                     for name, protocol in self.topic.clients.items()}
        self.states = {name: State(protocol) for name, protocol in protocols.items()}
        self.log = []
        self.over = False  # what follows would only show a difference that is known
        for side in sides:
            side.begin(protocols)

    # What a topic asks.

    def free(self, names=None):
        """Clients that may speak."""
        return [name for name, state in self.states.items()
                if state.waits is None and not state.gone and (names is None or name in names)]

    def waiting(self):
        return [name for name, state in self.states.items() if state.waits is not None]

    # Steps.

    def hold(self, steps):
        """The number of steps taken, and whether all was the same."""
        taken = 0
        for _ in range(steps):
            step = self.topic.step()
            if step is None:
                break
            taken += 1
            if not self.take(*step):
                return taken, False
            if self.over:
                return taken, True
        for name in self.waiting():
            taken += 1
            how = self.rng.choice([[], [b"TIMEOUT"], [b"ERROR"]])
            if not self.take("observer", [[b"CLIENT", b"UNBLOCK", b"$" + name.encode()] + how]):
                return taken, False
        return taken, self.same_data()

    def take(self, name, commands, kind="send"):
        """One step; `kind` is "answered" where the client must not stay blocked, "close" where it
        leaves, "expires" where its keys are to be waited for until they are gone."""
        if kind == "close":
            return self.leave(name)
        if name == "observer":
            told = [side.observer.call(*side.with_ids(commands[0])) for side in self.sides]
            self.log.append((name, commands, {name: [told[0]]}))
            for side in self.sides:
                side.barrier()
            if told[0] != told[1]:
                return self.report({name: [told[0]]}, {name: [told[1]]})
            return self.compare(name, commands)
        state = self.states[name]
        in_multi = self.ends_in_multi(state, commands)
        sent = list(commands)
        mark = None
        if not in_multi:
            state.marks += 1
            mark = b"~mark%d" % state.marks
            sent.append([b"PING", mark])
        for side in self.sides:
            side.clients[name].send([side.with_ids(command) for command in sent])
        for side in self.sides:
            self.rest(side, name, mark, len(commands), kind == "answered")
        if kind == "expires":
            self.wait_until_gone(state.db, [command[1] for command in commands])
        return self.compare(name, commands)

    @staticmethod
    def ends_in_multi(state, commands):
        inside = state.queue is not None
        for command in commands:
            word = command[0].upper()
            if word == b"MULTI":
                inside = True
            elif Conversation.ends_multi(word, command):
                inside = False
        return inside

    @staticmethod
    def ends_multi(word, command):
        # An EXEC with arguments ends it, too.
        return word == b"EXEC" or word in (b"DISCARD", b"RESET", b"QUIT") and len(command) == 1

    def rest(self, side, name, mark, count, must_answer):
        """Until the client has what it waits for and whatever else was caused has come."""
        client = side.clients[name]
        deadline = time.monotonic() + STEP_TIMEOUT_S
        while True:
            client.pump()
            if client.closed:
                break
            if mark is not None:
                if any(is_mark(reply) and self.text_of(reply) == mark for reply in client.received):
                    break
            elif sum(reply[0] != ">" for reply in client.received) >= count:
                break
            if not select.select([client.socket], [], [], 0.002)[0]:
                if not must_answer and side.blocked(name):
                    break
                if time.monotonic() > deadline:
                    raise Failure(f"{side.name} does not answer {name}: {self.history()}")
        side.barrier()

    @staticmethod
    def text_of(reply):
        return reply[1] if reply[0] == "$" else reply[1][1][1]

    def compare(self, name, commands):
        deadline = None
        while True:
            told = [{each: [reply for reply in client.received if not is_mark(reply)]
                     for each, client in side.clients.items()} for side in self.sides]
            marks = [{each: any(is_mark(reply) for reply in client.received)
                      for each, client in side.clients.items()} for side in self.sides]
            if marks[0] == marks[1] and self.agree(name, commands, *told):
                break
            if self.came_and_went(name, *told):
                self.over = True
                return True
            if deadline is None:
                deadline = time.monotonic() + self.options.patience
            if time.monotonic() > deadline:
                self.log.append((name, commands, told[0]))
                return self.report(*told)
            for side in self.sides:
                side.barrier()
        if name != "observer":
            self.log.append((name, commands, told[0]))
        for side in self.sides:
            for client in side.clients.values():
                client.received = []
        self.follow(name, commands, told[0], marks[0])
        return True

    def follow(self, name, commands, told, marks):
        for each, state in self.states.items():
            if END in told[each]:
                state.gone = True
            if marks[each]:
                state.waits = None
        if name not in self.states:
            return
        state = self.states[name]
        replies = [reply for reply in told[name] if reply[0] != ">"]
        if state.queue is None and not any(c[0].upper() == b"MULTI" for c in commands):
            if not marks[name] and not state.gone:
                state.waits = commands
            self.follow_watches(state, commands, replies)
            return
        for command, reply in zip(commands, replies):
            word = command[0].upper()
            if word == b"MULTI" and reply == ("+", b"OK"):
                state.queue = []
            elif self.ends_multi(word, command) and reply[1] != b"QUEUED":
                state.queue = None
            elif reply == ("+", b"QUEUED") and state.queue is not None:
                state.queue.append(command)
        self.follow_watches(state, commands, replies)

    def follow_watches(self, state, commands, replies):
        queue = []
        for command, reply in zip(commands, replies):
            word = command[0].upper()
            if reply == ("+", b"QUEUED"):
                queue.append(command)
            elif word == b"SELECT" and reply == ("+", b"OK"):
                state.db = int(command[1])
            elif word == b"WATCH" and reply == ("+", b"OK"):
                state.watched += [(state.db, key, self.exists(state.db, key)) for key in command[1:]]
            elif self.ends_multi(word, command) or word == b"UNWATCH":
                state.watched = []
                state.db = 0 if word == b"RESET" else state.db
                inside = (state.last_queue + queue) if word == b"EXEC" and reply[0] == "*" else []
                for queued, told in zip(inside, reply[1] or ()):
                    if queued[0].upper() == b"SELECT" and told == ("+", b"OK"):
                        state.db = int(queued[1])
        state.last_queue = list(state.queue or [])

    def exists(self, db, key):
        observer = self.sides[0].observer
        observer.call("SELECT", db)
        there = observer.call("EXISTS", key)[1] == b"1"
        observer.call("SELECT", 0)
        return there

    def came_and_went(self, name, a, b):
        """A watched key that was not there, nor is now: what came meanwhile, and went, only
        redis-server remembers."""
        if name not in self.states or not a.get(name) or a[name][-1] not in (("*", None), ("_", None)):
            return False
        if not b[name] or b[name][-1][0] != "*" or b[name][-1][1] is None:
            return False
        return any(not there and not self.exists(db, key)
                   for db, key, there in self.states[name].watched)

    def agree(self, name, commands, a, b):
        for each in a:
            if a[each] == b[each]:
                continue
            if len(a[each]) != len(b[each]):
                return False
            if each == name:
                if not self.replies_agree(self.states[each], commands, a[each], b[each]):
                    return False
            elif not self.topic.others_agree(each, a[each], b[each]):
                return False
        return True

    def replies_agree(self, state, commands, a, b):
        # Messages of a pipeline may overtake the replies that are under way.
        if self.topic.strict and len(commands) == 1 and commands[0][0].upper() != b"PUBSUB":
            return self.topic.others_agree(None, a, b)
        if self.topic.others_agree(None, a, b):
            return True
        queue = state.queue and list(state.queue)
        pushes = [[reply for reply in replies if reply[0] == ">"] for replies in (a, b)]
        a, b = ([reply for reply in replies if reply[0] != ">"] for replies in (a, b))
        if pushes[0] != pushes[1] and not self.topic.others_agree(None, *pushes):
            return False
        if len(a) != len(b):
            return False
        if len(commands) != len(a) or self.topic.strict and commands[0][0].upper() != b"PUBSUB":
            return self.topic.others_agree(None, a, b)
        for command, x, y in zip(commands, a, b):
            word = command[0].upper()
            if word == b"MULTI":
                queue = [] if queue is None else queue
            elif x == ("+", b"QUEUED") and queue is not None:
                queue.append(command)
            if word == b"EXEC" and x[0] == y[0] == "*" and x[1] is not None and y[1] is not None:
                if len(x[1]) != len(y[1]):
                    return False
                if len(x[1]) == len(queue or []):
                    if not all(self.one_agrees(*three) for three in zip(queue, x[1], y[1])):
                        return False
                elif x != y:
                    return False
                queue = None
            elif not self.one_agrees(command, x, y):
                return False
        return True

    def one_agrees(self, command, a, b):
        if a == b:
            return True
        word = command[0].upper()
        if word == b"HELLO":
            return a[0] == b[0] != "-"
        if word == b"CLIENT":
            return self.topic.client_agrees(self.sides, command, a, b)
        if word == b"PUBSUB":
            return a[0] == b[0] and sorted(map(repr, a[1])) == sorted(map(repr, b[1]))
        if a[0] == b[0] == "-" and any(byte < 32 or byte == 127 for arg in command for byte in arg):
            if before_quote(a) == before_quote(b):
                return True
        rule = self.mix.rules.get(word)
        return bool(rule) and rule(command, a, b, 10000)

    def leave(self, name):
        """A client closes its connection."""
        for side in self.sides:
            client = side.clients[name]
            listed = client.id
            client.close()
            deadline = time.monotonic() + STEP_TIMEOUT_S
            while side.observer.call("CLIENT", "LIST", "ID", listed)[1].strip():
                if time.monotonic() > deadline:
                    raise Failure(f"{side.name} keeps a client that is gone")
            side.barrier()
        self.states[name].gone = True
        self.states[name].waits = None
        self.log.append((name, [[b"(leaves)"]], {}))
        return self.compare("observer", [])

    def wait_until_gone(self, db, keys):
        for side in self.sides:
            side.observer.call("SELECT", db)
            deadline = time.monotonic() + STEP_TIMEOUT_S
            while side.observer.call("EXISTS", *keys) != (":", b"0"):
                if time.monotonic() > deadline:
                    raise Failure(f"{side.name}: keys do not expire")
        # Both count a key until they delete it, which redis-server has done when it was looked for.
        deadline = time.monotonic() + STEP_TIMEOUT_S
        while len({side.observer.call("DBSIZE") for side in self.sides}) > 1:
            if time.monotonic() > deadline:
                raise Failure(f"keys that expired are still counted: {self.history()}")
        for side in self.sides:
            side.observer.call("SELECT", 0)
            side.barrier()

    def same_data(self):
        digests = []
        for side in self.sides:
            digests.append(side.observer.call("DEBUG", "DIGEST"))
        if digests[0] == digests[1]:
            return True
        told = []
        for side in self.sides:
            there = {}
            for db in range(16):
                side.observer.call("SELECT", db)
                for _, key in sorted(side.observer.call("KEYS", "*")[1]):
                    there[db, key] = (side.observer.call("TYPE", key),
                                      side.observer.call("DEBUG", "DIGEST-VALUE", key))
            side.observer.call("SELECT", 0)
            told.append(there)
        ends = [{"data": sorted((key, value) for key, value in mine.items() if other.get(key) != value)}
                for mine, other in (told, told[::-1])]
        if not any(end["data"] for end in ends):
            return True  # deadlines, of which each server has its own
        return self.report(*ends)

    def history(self):
        lines = []
        for name, commands, told in self.log[-SHOWN_STEPS:]:
            lines.append(f"    {name}: " + "; ".join(show(command) for command in commands)[:400])
            for each, replies in told.items():
                if replies:
                    lines.append(f"        {each} < {replies!r}"[:400])
        return "\n".join(lines)

    def report(self, a, b):
        protocols = ", ".join(f"{name}: RESP{state.protocol}" for name, state in self.states.items())
        print(f"\na difference, {self.title} ({protocols}):\n{self.history()}")
        for each in a:
            if a[each] != b[each]:
                print(f"  {each} received\n    redis-server {a[each]!r}"[:1500])
                print(f"    metaStore    {b[each]!r}"[:1500], flush=True)
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("reference", help="host:port of a redis-server whose data may be lost")
    parser.add_argument("tested", help="host:port of a metaStore node whose data may be lost")
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after so many")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--only", type=int, help="this conversation alone")
    parser.add_argument("--differences", type=int, default=5, help="stop after so many")
    parser.add_argument("--patience", type=float, default=1.0, metavar="SECONDS")
    parser.add_argument("--topics", nargs="+", choices=sorted(TOPICS))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    taken = differences = number = 0
    ends = time.monotonic() + options.seconds
    try:
        sides = [Side(options.reference, "redis-server"), Side(options.tested, "metaStore")]
        number = options.only or 0
        while taken < options.steps and differences < options.differences and time.monotonic() < ends:
            conversation = Conversation(sides, f"{options.seed}/{number}", options)
            steps, same = conversation.hold(STEPS)
            taken += steps
            if not same:
                differences += 1
                print(f"  again: --seed {options.seed} --only {number}", flush=True)
            number += 1
            if options.only is not None:
                break
    except (Failure, OSError) as failure:
        print(f"cannot go on in conversation {number}: {failure}")
        return 2
    print(f"{taken} steps, {differences} differences (seed {options.seed})")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
