"""Topics of conversations: what several clients do together, at random.

A topic names its clients, with the protocol that each begins with (0: either), and gives steps:
(client, commands), or (client, commands, kind) as Conversation.take describes.
"""

from generators.words import DATABASES

UNKNOWN = [b"NOSUCH", b"k0"]
TOO_FEW = [b"GET"]
NOT_IN_MULTI = [[b"WATCH", b"k0"], [b"MULTI"], [b"MONITOR", b"x"], [b"AUTH"]]

# Commands whose number of arguments is not that of Redis 7.0, by intent.
OTHER_ARITY = {b"ZRANK", b"ZREVRANK"}


class Topic:
    clients = {}
    # Whether replies and messages must come to the client that spoke in the same order.
    strict = False

    def __init__(self, talk):
        self.talk, self.rng = talk, talk.rng

    def step(self):
        raise NotImplementedError

    def others_agree(self, name, a, b):
        """Of what came unasked."""
        return a == b

    def client_agrees(self, sides, command, a, b):
        """Of a CLIENT command whose replies are not equal."""
        return self.without_ids(sides[0], a) == self.without_ids(sides[1], b)

    def without_ids(self, side, reply):
        kind, value = reply
        if isinstance(value, tuple):
            return kind, tuple(self.without_ids(side, item) for item in value)
        for name, client in side.clients.items():
            if kind == ":" and value == client.id:
                return kind, name
        return reply

    def pick(self, makers):
        return self.rng.choices([make for _, make in makers], [weight for weight, _ in makers])[0]()


class Transactions(Topic):
    """MULTI, EXEC, DISCARD, WATCH and UNWATCH around commands of all groups."""

    clients = {"a": 0, "b": 0, "c": 0}

    def data(self, most=3):
        # What only one of the two queues would end its transaction in another way.
        return [command for command in self.talk.mix.batch(self.rng.randrange(1, most + 1))
                if command[0].upper() not in OTHER_ARITY] or [[b"PING"]]

    def keys(self):
        return [self.talk.mix.words.key() for _ in range(self.rng.randrange(1, 4))]

    def select(self):
        db = self.rng.choice([0, 0, 1, 2, 3, 99, -1]) if self.rng.randrange(8) else b"x"
        return [b"SELECT", db if isinstance(db, bytes) else b"%d" % db]

    def step(self):
        rng, talk = self.rng, self.talk
        free = talk.free()
        if not free:
            return None
        name = rng.choice(free)
        if talk.states[name].queue is not None:
            return name, self.pick([
                (40, self.data),
                (20, lambda: [[b"EXEC"]]),
                (4, lambda: [[b"DISCARD"]]),
                (4, lambda: [self.select()]),
                (1, lambda: [rng.choice([UNKNOWN, TOO_FEW, [b"EXEC", b"x"], [b"DISCARD", b"x"]])]),
                (3, lambda: [rng.choice(NOT_IN_MULTI)]),
                (2, lambda: [[b"UNWATCH"]]),
                (1, lambda: [[b"HELLO"] + rng.choice([[], [b"4"], [b"x"]])]),
                (1, lambda: [[b"RESET"]]),
                (0.2, lambda: [[b"QUIT"]]),
                (2, lambda: [[b"PING"], [b"ECHO", b"x"]]),
                (1, lambda: [[b"CLIENT", rng.choice([b"GETNAME", b"NOSUCH"])]]),
                (6, lambda: self.data() + [[b"EXEC"]]),
            ])
        if rng.randrange(25) == 0:
            keys = self.keys()
            return name, [[b"PEXPIRE", key, b"1"] for key in keys], "expires"
        return name, self.pick([
            (30, self.data),
            (15, lambda: [[b"MULTI"]]),
            (15, lambda: [[b"WATCH"] + self.keys()]),
            (3, lambda: [[b"UNWATCH"]]),
            (4, lambda: [self.select()]),
            (1, lambda: [[b"EXEC"]]),
            (1, lambda: [[b"DISCARD"]]),
            (1, lambda: [[b"MULTI", b"x"]]),
            (1, lambda: [[b"WATCH"]]),
            (1, lambda: [[b"HELLO", rng.choice([b"2", b"3"])]]),
            (1, lambda: [[b"RESET"]]),
            (6, lambda: [[b"MULTI"]] + self.data(6) + [rng.choice([[b"EXEC"], [b"EXEC"], [b"DISCARD"]])]),
            (4, lambda: [[b"WATCH"] + self.keys(), [b"MULTI"]] + self.data() + [[b"EXEC"]]),
        ])


class Blocking(Topic):
    """Clients that wait for keys of all types, and one that never does."""

    clients = {"a": 0, "b": 0, "c": 0, "d": 0, "e": 0, "w": 0}
    # Of any type, and never overwritten in place by one command: Redis serves nobody then. One client
    # waits for one of them at most: what happens where one of several is of another type, or holds
    # something when another is written, is Redis 7.2's choice, not 7.0's.
    KEYS = [b"q1", b"q2", b"q3"]
    # Of one type each.
    LISTS, ZSETS, STREAMS = [b"l1", b"l2", b"l3"], [b"z1", b"z2"], [b"s1", b"s2"]
    # Never deleted: Redis 7.0 leaves XREADGROUP waiting for a key that is gone.
    GROUPS = [b"g1", b"g2"]

    def __init__(self, talk):
        super().__init__(talk)
        self.last_id = 1
        self.all_keys = set(self.KEYS + self.LISTS + self.ZSETS + self.STREAMS + self.GROUPS)

    def key(self):
        return self.rng.choice(self.KEYS)

    def keys(self, typed):
        """One key of any type, or a few of the one that is waited for."""
        if self.rng.randrange(2):
            return [self.key()]
        return [self.rng.choice(typed) for _ in range(self.rng.randrange(1, 4))]

    def elements(self, most=4):
        return [b"e%d" % self.rng.randrange(100) for _ in range(self.rng.randrange(1, most))]

    def end(self):
        return self.rng.choice([b"LEFT", b"RIGHT"])

    def wait(self, timeout):
        """A command that may block."""
        rng, key, keys = self.rng, self.key, self.keys
        seconds, milliseconds = (b"0", b"0") if timeout == 0 else (b"%.3f" % (timeout / 1000), b"%d" % timeout)

        def numbered(typed):
            some = keys(typed)
            return [b"%d" % len(some)] + some

        def streams(some, last):
            return [b"STREAMS"] + some + [rng.choice(last) for _ in some]

        def pair():
            return [key(), key()] if rng.randrange(2) else [rng.choice(self.LISTS), b"t1"]

        count = rng.choice([[], [b"COUNT", b"%d" % rng.randrange(1, 4)]])
        return self.pick([
            (6, lambda: [rng.choice([b"BLPOP", b"BRPOP"])] + keys(self.LISTS) + [seconds]),
            (4, lambda: [b"BLMOVE"] + pair() + [self.end(), self.end(), seconds]),
            (1, lambda: [b"BRPOPLPUSH"] + pair() + [seconds]),
            (3, lambda: [b"BLMPOP", seconds] + numbered(self.LISTS) + [self.end()] + count),
            (4, lambda: [rng.choice([b"BZPOPMIN", b"BZPOPMAX"])] + keys(self.ZSETS) + [seconds]),
            (3, lambda: [b"BZMPOP", seconds] + numbered(self.ZSETS) + [rng.choice([b"MIN", b"MAX"])] + count),
            (4, lambda: [b"XREAD"] + count + [b"BLOCK", milliseconds] + streams(
                rng.choice([[key()], rng.sample(self.STREAMS, 2)]), [b"$", b"$", b"0", b"%d" % self.last_id, b"%d" % (self.last_id + 1)])),
            (4, lambda: [b"XREADGROUP", b"GROUP", rng.choice([b"g", b"h"]), b"me"] + count
             + [b"BLOCK", milliseconds] + rng.choice([[], [], [b"NOACK"]])
             + streams(rng.sample(self.GROUPS, rng.randrange(1, 3)), [b">", b">", b">", b">", b"0"])),
        ])

    def xadd(self, key):
        self.last_id += 1
        return [b"XADD", key] + self.rng.choice([[], [], [b"MAXLEN", b"2"], [b"NOMKSTREAM"]]) + [
            b"%d-1" % self.last_id, b"f", b"v"]

    def change_of_one_type(self):
        rng = self.rng
        a_list, a_zset, a_stream = (rng.choice(keys) for keys in (self.LISTS, self.ZSETS, self.STREAMS))
        group = rng.choice(self.GROUPS)
        return self.pick([
            (8, lambda: [rng.choice([b"LPUSH", b"RPUSH"]), a_list] + self.elements()),
            (2, lambda: [b"LMOVE", rng.choice(self.LISTS), a_list, self.end(), self.end()]),
            (1, lambda: [b"RENAME", rng.choice(self.LISTS), a_list]),
            (1, lambda: [b"SORT", rng.choice(self.LISTS), b"ALPHA", b"STORE", a_list]),
            (6, lambda: [b"ZADD", a_zset, b"1", rng.choice([b"a", b"b"]), b"2", rng.choice([b"c", b"d"])]),
            (1, lambda: [b"ZUNIONSTORE", a_zset, b"2", rng.choice(self.ZSETS), b"z3"]),
            (6, lambda: self.xadd(a_stream)),
            (4, lambda: [b"DEL", rng.choice([a_list, a_zset, a_stream])]),
            (6, lambda: self.xadd(group)),
            (5, lambda: [b"XGROUP", b"CREATE", group, rng.choice([b"g", b"h"]), rng.choice([b"0", b"$"]),
                         b"MKSTREAM"]),
            (2, lambda: [b"XGROUP", b"DESTROY", group, rng.choice([b"g", b"h"])]),
            (1, lambda: [b"XGROUP", b"SETID", group, b"g", rng.choice([b"0", b"$"])]),
            (1, lambda: [b"XDEL", group, b"%d-1" % self.last_id]),
            (1, lambda: [b"XTRIM", group, b"MAXLEN", b"0"]),
        ])

    def change(self):
        """A command by which something may come to a key, or go."""
        rng, key = self.rng, self.key
        if rng.randrange(2):
            return self.change_of_one_type()
        return self.pick([
            (12, lambda: [rng.choice([b"LPUSH", b"RPUSH"]), key()] + self.elements()),
            (2, lambda: [rng.choice([b"LPUSHX", b"RPUSHX"]), key()] + self.elements()),
            (8, lambda: [b"ZADD", key()] + [word for element in self.elements()
                                            for word in (b"%d" % rng.randrange(5), element)]),
            (1, lambda: [b"ZINCRBY", key(), b"1", b"m"]),
            (6, lambda: self.xadd(key())),
            (12, lambda: [b"DEL", key()]),
            (2, lambda: [b"SET", key(), b"v"]),
            (1, lambda: [b"SADD", key(), b"3", b"1", b"2"]),
            (1, lambda: [b"HSET", key(), b"f", b"v"]),
            (4, lambda: [rng.choice([b"RENAME", b"RENAMENX"]), rng.choice([b"x", b"y", key()]), key()]),
            (3, lambda: [b"COPY", rng.choice([b"x", key()]), key()] + rng.choice([[], [b"REPLACE"]])),
            (2, lambda: [b"RPUSH", b"x", b"2", b"1"]),
            (2, lambda: [b"ZADD", b"x", b"2", b"1", b"1", b"2"]),
            (1, lambda: [b"DEL", b"x"]),
            (2, lambda: [b"SORT", rng.choice([b"x", key()]), b"ALPHA", b"STORE", b"y"]),
            (3, lambda: [b"LMOVE", rng.choice([b"x", key()]), key(), self.end(), self.end()]),
            (1, lambda: [b"RPOPLPUSH", rng.choice([b"x", key()]), key()]),
            (2, lambda: [rng.choice([b"ZUNIONSTORE", b"ZINTERSTORE"]), b"y", b"1", rng.choice([b"x", key()])]),
            (1, lambda: [b"ZRANGESTORE", b"y", b"x", b"0", b"-1"]),
            (1, lambda: [b"GEOADD", key(), b"13", b"38", b"m"]),
            (1, lambda: [rng.choice([b"LPOP", b"RPOP"]), key()]),
            (1, lambda: [b"LTRIM", key(), b"1", b"0"]),
            (1, lambda: [b"PEXPIREAT", key(), b"1"]),
            (1, lambda: [b"MOVE", key(), b"1"]),
        ])

    def look(self):
        key = self.rng.choice(self.KEYS + self.LISTS + self.ZSETS + self.STREAMS + self.GROUPS)
        return self.rng.choice([[b"LRANGE", key, b"0", b"-1"], [b"ZRANGE", key, b"0", b"-1"],
                                [b"XRANGE", key, b"-", b"+"], [b"TYPE", key],
                                [b"XINFO", b"GROUPS", key]])

    def transaction(self):
        """All that comes to the keys comes to one of them."""
        made = [self.change() for _ in range(self.rng.randrange(1, 4))]
        if len(made) > 1:
            # Of what came to a stream and is gone at EXEC, Redis 7.0 tells a group an empty list.
            made = [command for command in made if command[0] not in (b"XTRIM", b"XDEL")] or [self.look()]
        chosen = made[0][1]
        made = [made[0]] + [command for command in made[1:]
                            if chosen in command[1:] and not (self.all_keys - {chosen}) & set(command[1:])]
        if self.rng.randrange(4) == 0:
            made.append(self.wait(0))
        return [[b"MULTI"]] + made + [[b"EXEC"]]

    def others_agree(self, name, a, b):
        # Redis 7.2 runs XREADGROUP again, 7.0 replies that the group is gone.
        return a == b or len(a) == len(b) and all(
            x == y or x[0] == y[0] == "-" and x[1][:8] == y[1][:8] == b"NOGROUP " for x, y in zip(a, b))

    def step(self):
        rng, talk = self.rng, self.talk
        free = talk.free(["a", "b", "c", "d", "e"])
        if free and rng.randrange(3) == 0:
            name = rng.choice(free)
            if rng.randrange(6) == 0:
                return name, [self.wait(rng.randrange(1, 10))], "answered"
            return name, [self.wait(0)]
        waiting = talk.waiting()
        if waiting and rng.randrange(20) == 0:
            name = rng.choice(waiting)
            if rng.randrange(6) == 0:
                return name, [], "close"
            return "w", [[b"CLIENT", b"UNBLOCK", b"$" + name.encode()]
                         + rng.choice([[], [b"TIMEOUT"], [b"ERROR"], [b"error"], [b"x"]])]
        return "w", self.pick([
            (30, lambda: [self.change()]),
            (8, self.transaction),
            (6, lambda: [self.look()]),
            (2, lambda: [self.wait(rng.randrange(1, 4))]),
        ]), "answered"


def words_of(reply):
    """What begins a message: its kind and what follows."""
    kind, value = reply
    if kind in "*>" and value and all(part[0] in "$+:" for part in value):
        return [part[1] for part in value]
    return [b""]


MESSAGES = {prefix + name for prefix in (b"", b"p", b"s")
            for name in (b"message", b"subscribe", b"unsubscribe")}


def without_nesting(replies):
    """Inside a transaction's reply redis-server puts the messages that the client gets meanwhile,
    which the length does not count, where metaStore has them in front. So they come first here."""
    # Of HELLO's reply, which tells the version, only that it came.
    replies = [("+", b"HELLO") if value and kind in "%*" and value[0] == ("$", b"server")
               else (kind, value) for kind, value in replies]
    if all(words_of(reply)[0] in MESSAGES or not isinstance(reply[1], tuple) for reply in replies):
        return replies
    flat = []
    for reply in replies:
        of_strings = reply[0] == "*" and reply[1] and all(item[0] == "$" for item in reply[1])
        if (reply[0] == "*" and isinstance(reply[1], tuple) and not of_strings
                and words_of(reply)[0] not in MESSAGES):
            for item in reply[1]:
                nested = item[0] == "*" and item[1] and any(part[0] != "$" for part in item[1])
                flat += item[1] if nested and words_of(item)[0] not in MESSAGES else [item]
        else:
            flat.append(reply)
    flat = [(kind, tuple(sorted(value)))
            if kind == "*" and value and all(item[0] == "$" for item in value)
            and words_of((kind, value))[0] not in MESSAGES else (kind, value) for kind, value in flat]
    return sorted(flat, key=lambda reply: words_of(reply)[0][-7:] != b"message")


def in_order(replies):
    """Replies without the orders that redis-server takes from hash tables with a seed of their own:
    of the patterns that one message fits, and of the channels that a client leaves at once."""
    made = []
    for reply in without_nesting(replies):
        kind, value = reply
        words = words_of(reply)
        last = made[-1] if made else None
        if words[0] == b"pmessage" and len(words) == 4:
            if last and last[0] == b"pmessage" and last[1] == words[2:]:
                last[2].append(words[1])
                last[2].sort()
            else:
                made.append((b"pmessage", words[2:], [words[1]]))
        elif words[0] in (b"unsubscribe", b"punsubscribe", b"sunsubscribe") and len(words) == 3:
            if last and last[0] == words[0]:
                last[1].append(words[1])
                last[1].sort(key=repr)
                last[2].append(words[2])
            else:
                made.append((words[0], [words[1]], [words[2]]))
        else:
            made.append(reply)
    return made


class Messages(Topic):
    """Publishers and subscribers, also in transactions."""

    clients = {"a": 0, "b": 0, "c": 0, "d": 0, "w": 3}
    strict = True
    CHANNELS = [b"news", b"sport", b"n", b""]
    PATTERNS = [b"n*", b"*s", b"[ns]*", b"s?ort", b"*", b"nothing"]

    def others_agree(self, name, a, b):
        return in_order(a) == in_order(b)

    def some(self, names, least=1):
        return [self.rng.choice(names) for _ in range(self.rng.randrange(least, 4))]

    def publish(self):
        return [self.rng.choice([b"PUBLISH", b"PUBLISH", b"SPUBLISH"]), self.rng.choice(self.CHANNELS),
                b"m%d" % self.rng.randrange(1000)]

    def subscribe(self):
        return self.rng.choice([[b"SUBSCRIBE"] + self.some(self.CHANNELS),
                                [b"PSUBSCRIBE"] + self.some(self.PATTERNS),
                                [b"SSUBSCRIBE"] + self.some(self.CHANNELS)])

    def unsubscribe(self, least=0):
        return self.rng.choice([[b"UNSUBSCRIBE"] + self.some(self.CHANNELS, least),
                                [b"PUNSUBSCRIBE"] + self.some(self.PATTERNS, least),
                                [b"SUNSUBSCRIBE"] + self.some(self.CHANNELS, least)])

    def ask(self):
        rng = self.rng
        return [b"PUBSUB"] + rng.choice([
            [b"CHANNELS"], [b"CHANNELS", rng.choice(self.PATTERNS)], [b"NUMPAT"], [b"SHARDCHANNELS"],
            [b"NUMSUB"] + self.some(self.CHANNELS, 0), [b"SHARDNUMSUB"] + self.some(self.CHANNELS, 0),
            [b"NUMPAT", b"x"], [b"NOSUCH"]])

    def wrong(self):
        return self.rng.choice([[b"SUBSCRIBE"], [b"PSUBSCRIBE"], [b"PUBLISH", b"news"], [b"PUBSUB"], UNKNOWN])

    def other(self):
        return self.rng.choice([[b"GET", b"k"], [b"SET", b"k", b"v"], [b"PING"], [b"PING", b"x"],
                                [b"ECHO", b"x"]])

    def step(self):
        rng = self.rng
        free = self.talk.free()
        if not free:
            return None
        name = rng.choice(free)
        queue = self.talk.states[name].queue
        if queue is not None:
            # What the client itself subscribes to there it hears from the end of the transaction on.
            kinds = {command[0] for command in queue}
            subscribes = bool(kinds & {b"SUBSCRIBE", b"PSUBSCRIBE", b"UNSUBSCRIBE", b"PUNSUBSCRIBE",
                                       b"SUNSUBSCRIBE", b"SSUBSCRIBE"})
            publishes = bool(kinds & {b"PUBLISH", b"SPUBLISH"})
            return name, [self.pick([
                (0 if subscribes else 4, self.publish), (0 if publishes else 4, self.subscribe),
                (0 if publishes else 3, lambda: self.unsubscribe(1)), (2, self.ask),
                (2, self.other), (5, lambda: [b"EXEC"]), (1, lambda: [b"DISCARD"]), (0.3, self.wrong),
                (0.3, lambda: [b"RESET"])])]
        return name, self.pick([
            (12, lambda: [self.publish()]),
            (8, lambda: [self.subscribe()]),
            (6, lambda: [self.unsubscribe()]),
            (4, lambda: [self.ask()]),
            (3, lambda: [self.other()]),
            (3, lambda: [[b"MULTI"]]),
            (2, lambda: [self.wrong()]),
            (1, lambda: [[b"HELLO", rng.choice([b"2", b"3"])]]),
            (1, lambda: [[b"RESET"]]),
            (0.3, lambda: [[b"QUIT"]]),
            (3, lambda: [self.publish() for _ in range(rng.randrange(2, 5))]),
            (2, lambda: [self.subscribe(), self.publish(), self.unsubscribe()]),
        ])


class Notifications(Blocking):
    """Keyspace events, also of clients that wait and are served."""

    clients = {"a": 0, "b": 0, "c": 0, "d": 0, "l": 2, "m": 3, "w": 0}

    def __init__(self, talk):
        super().__init__(talk)
        self.first = [("l", [[b"PSUBSCRIBE", b"__key*__:*"]]),
                      ("m", [[b"SUBSCRIBE", b"__keyevent@0__:lpop", b"__keyevent@0__:lpush",
                              b"__keyspace@0__:q1", b"__keyspace@0__:l1", b"__keyevent@0__:del"]]),
                      ("w", [[b"CONFIG", b"SET", b"notify-keyspace-events",
                              self.rng.choice([b"KEA", b"KEA", b"KEAn", b"Kl$", b"Etzx", b"Eg"])]])]

    def step(self):
        if self.first:
            return self.first.pop(0)
        if self.rng.randrange(5) == 0:
            return "w", self.talk.mix.batch(self.rng.randrange(1, 5)), "answered"
        return super().step()

    def others_agree(self, name, a, b):
        """Keys that expire are deleted later."""
        a, b = ([reply for reply in replies
                 if words_of(reply)[-1] != b"expired" and b"__:expired" not in (words_of(reply)[-2:][0] or b"")]
                for replies in (a, b))
        return super().others_agree(name, a, b)


def merged(replies):
    """Invalidations that follow each other as one. Those that redis-server puts inside the reply of
    a transaction, as metaStore does not, come first."""
    nested = [reply for reply in replies
              if reply[0] == "*" and reply[1] and any(item[0] == ">" for item in reply[1])]
    if nested or any(reply[0] == "*" for reply in replies) and len(replies) > 3:
        flat = []
        for reply in replies:
            flat += reply[1] if reply[0] == "*" and isinstance(reply[1], tuple) else [reply]
        replies = sorted(flat, key=lambda reply: reply[0] != ">")
    made = []
    for reply in replies:
        kind, value = reply
        keys = None
        if value and kind in "*>" and value[0] == ("$", b"invalidate"):
            keys = value[1][1]
        elif value and kind in "*>" and value[:2] == (("$", b"message"), ("$", b"__redis__:invalidate")):
            keys = value[2][1]
        else:
            made.append(reply)
            continue
        keys = ["everything"] if keys is None else list(keys)
        if made and isinstance(made[-1], list):
            made[-1] = sorted(made[-1] + keys, key=repr)
        else:
            made.append(sorted(keys, key=repr))
    return made


class Caches(Topic):
    """Client-side caching: readers that track in every mode, and writers."""

    clients = {"a": 3, "b": 3, "c": 2, "d": 0, "r": 2, "s": 3, "w": 0}
    KEYS = [b"k1", b"k2", b"a:1", b"a:2", b"b:1", b"l1", b"h1", b"z1", b"s1"]

    def __init__(self, talk):
        super().__init__(talk)
        self.first = [("r", [[b"SUBSCRIBE", b"__redis__:invalidate"]])]

    def others_agree(self, name, a, b):
        return merged(a) == merged(b)

    def client_agrees(self, sides, command, a, b):
        a, b = (self.without_ids(*each) for each in zip(sides, (a, b)))
        return a == b or repr(sorted(repr(a))) == repr(sorted(repr(b)))

    def key(self):
        return self.rng.choice(self.KEYS)

    def tracking(self):
        rng = self.rng
        if rng.randrange(5) == 0:
            return [b"CLIENT", b"TRACKING", b"OFF"]
        options = [[b"BCAST"], [b"BCAST", b"PREFIX", b"a:"], [b"BCAST", b"PREFIX", b"a:", b"PREFIX", b"b:"],
                   [b"OPTIN"], [b"OPTOUT"], [], [], []]
        made = [b"CLIENT", b"TRACKING", b"ON"] + rng.choice(options)
        if rng.randrange(3) == 0:
            made.append(b"NOLOOP")
        if rng.randrange(3) == 0:
            made += [b"REDIRECT", rng.choice([b"$r", b"$s", b"$r", b"999999"])]
        return made

    def read(self):
        key = self.key
        return self.pick([
            (6, lambda: [b"GET", key()]), (3, lambda: [b"MGET", key(), key(), key()]),
            (1, lambda: [b"EXISTS", key(), key()]), (1, lambda: [b"TYPE", key()]),
            (1, lambda: [b"STRLEN", key()]), (1, lambda: [b"LRANGE", b"l1", b"0", b"-1"]),
            (1, lambda: [b"HGET", b"h1", b"f"]), (1, lambda: [b"ZCARD", b"z1"]),
            (1, lambda: [b"SCARD", b"s1"]), (1, lambda: [b"SINTERCARD", b"2", b"s1", b"s2"]),
            (1, lambda: [b"GETRANGE", key(), b"0", b"1"]), (1, lambda: [b"TTL", key()])])

    def write(self):
        rng, key = self.rng, self.key
        return self.pick([
            (8, lambda: [b"SET", key(), b"v%d" % rng.randrange(9)]),
            (2, lambda: [b"MSET", key(), b"1", key(), b"2"]),
            (3, lambda: [b"DEL", key(), key()]),
            (1, lambda: [b"RPUSH", b"l1", b"e"]), (1, lambda: [b"LPOP", b"l1"]),
            (1, lambda: [b"HSET", b"h1", b"f", b"v"]), (1, lambda: [b"ZADD", b"z1", b"1", b"m"]),
            (1, lambda: [b"SADD", b"s1", b"m"]), (1, lambda: [b"SREM", b"s1", b"m"]),
            (1, lambda: [b"SINTERSTORE", b"s1", b"s1", b"s2"]),
            (1, lambda: [b"APPEND", key(), b"x"]), (1, lambda: [b"INCR", key()]),
            (1, lambda: [b"EXPIRE", key(), b"1000"]), (1, lambda: [b"PEXPIREAT", key(), b"1"]),
            (1, lambda: [b"PERSIST", key()]), (1, lambda: [b"RENAME", key(), key()]),
            (1, lambda: [b"COPY", key(), key(), b"REPLACE"]), (1, lambda: [b"MOVE", key(), b"1"]),
            (1, lambda: [b"GETDEL", key()]), (1, lambda: [b"GETEX", key(), b"EX", b"1000"]),
            (0.3, lambda: [b"FLUSHDB"]), (0.3, lambda: [b"FLUSHALL"]),
        ])

    def step(self):
        rng = self.rng
        if self.first:
            return self.first.pop(0)
        readers = self.talk.free(["a", "b", "c", "d"])
        if rng.randrange(3) == 0 or not readers:
            name = rng.choice(self.talk.free(["a", "b", "c", "d", "w", "w", "s"]))
            if rng.randrange(6) == 0:
                # Of what is read beside a write that is under way the client may be told once more.
                reads = [self.read() for _ in range(rng.randrange(3))]
                read = {word for command in reads for word in command[1:]}
                writes = [self.write() for _ in range(rng.randrange(1, 3))]
                return name, [[b"MULTI"]] + reads + [
                    command for command in writes
                    if not read & set(command[1:]) and command[0][:5] != b"FLUSH"] + [[b"EXEC"]]
            return name, [self.write()]
        return rng.choice(readers), [self.pick([
            (4, self.tracking),
            (16, self.read),
            (3, lambda: [b"CLIENT", b"CACHING", rng.choice([b"YES", b"NO"])]),
            (1, lambda: [b"CLIENT", b"TRACKINGINFO"]),
            (1, lambda: [b"CLIENT", b"GETREDIR"]),
            (1, lambda: [b"SELECT", rng.choice([b"0", b"0", b"1"])]),
            (0.5, lambda: [b"RESET"]),
            (0.5, lambda: [b"HELLO", rng.choice([b"2", b"3"])]),
        ])]


TOPICS = {"transactions": Transactions, "blocking": Blocking, "messages": Messages,
          "notifications": Notifications, "caches": Caches}
