"""What clients are sent unasked: the same conversations with redis-server and with metaStore, byte
for byte but for the ids of clients and the order of sets.

A line is `client: command`. The last digit of a client's name is its protocol; `$name` stands for a
client's id. After each line all that every client has received is compared: a PING of each of them
comes behind it.
"""

from checks import Check, Failure
from differential import Connection, Failure as ServerFailure
from servers import HOST

PONGS = (("+", b"PONG"), ("*", (("$", b"pong"), ("$", b""))))
# What CLIENT INFO is compared by.
FIELDS = (b"flags=", b"sub=", b"psub=", b"ssub=", b"resp=")
BROKEN = ("$", b"tracking-redir-broken")
UNORDERED = {"PUBSUB CHANNELS", "PUBSUB SHARDCHANNELS", "CLIENT TRACKINGINFO"}

CONVERSATIONS = {
    "subscribers": """
        a2: SUBSCRIBE news news sport
        b3: SUBSCRIBE news
        b3: PSUBSCRIBE n* s?ort
        c2: PSUBSCRIBE n* [n]ews
        d2: PUBLISH news hello
        d2: PUBLISH sport x
        d2: PUBLISH nobody x
        b3: PUBLISH news own
        d2: PUBSUB CHANNELS
        d2: PUBSUB CHANNELS n*
        d2: PUBSUB NUMSUB news sport nothing
        d2: PUBSUB NUMPAT
        d2: PUBSUB CHANNELS a b
        d2: PUBSUB NOSUCH
        a2: CLIENT INFO
        b3: CLIENT INFO
        a2: GET k
        a2: HELLO 3
        a2: nosuch
        a2: GET
        a2: PING x
        b3: PING x
        b3: GET k
        a2: UNSUBSCRIBE news
        a2: UNSUBSCRIBE sport sport
        a2: UNSUBSCRIBE
        a2: GET k
        b3: PUNSUBSCRIBE nothing
        b3: PUNSUBSCRIBE s?ort
        d2: PUBLISH sport x
        b3: HELLO 2
        b3: GET k
        d2: PUBLISH news x
        b3: RESET
        b3: GET k
        d2: PUBLISH news x
        c2: QUIT
        d2: PUBSUB NUMPAT
        d2: SUBSCRIBE
        d2: PUBLISH news
        """,
    "shard channels": """
        a2: SSUBSCRIBE x y
        b3: SSUBSCRIBE x
        c2: SUBSCRIBE x
        d2: SPUBLISH x m
        d2: PUBLISH x m
        d2: PUBSUB SHARDCHANNELS
        d2: PUBSUB SHARDCHANNELS y*
        d2: PUBSUB SHARDNUMSUB x y z
        a2: CLIENT INFO
        a2: GET k
        a2: SUNSUBSCRIBE nothing
        a2: SUNSUBSCRIBE y
        a2: SUBSCRIBE z
        a2: SUNSUBSCRIBE
        a2: SUNSUBSCRIBE
        b3: CLIENT INFO
        d2: SPUBLISH x m
        """,
    "keyspace events": """
        a2: PSUBSCRIBE __key*__:*
        d2: CONFIG SET notify-keyspace-events KEA
        d2: CONFIG GET notify-keyspace-events
        d2: SET k v EX 100
        d2: APPEND k w
        d2: LPUSH l a b
        d2: LPOP l 2
        d2: RENAME k j
        d2: SELECT 3
        d2: SADD s a
        d2: MOVE s 0
        d2: SPUBLISH __keyevent@0__:x y
        d2: CONFIG SET notify-keyspace-events El
        d2: SET k v
        d2: LPUSH l a
        d2: CONFIG SET notify-keyspace-events foo
        d2: CONFIG SET notify-keyspace-events zhmK
        d2: CONFIG GET notify-keyspace-events
        d2: CONFIG SET notify-keyspace-events g$lshzxetdEK
        d2: CONFIG GET notify-keyspace-events
        """,
    "client-side caching": """
        a3: CLIENT TRACKING ON
        b3: CLIENT TRACKING ON NOLOOP
        a3: GET k
        b3: GET k
        d2: SET k v
        d2: SET k v
        a3: MGET k l m
        b3: MGET k l m
        a3: SET k own
        b3: GET k
        b3: SET k own
        d2: SET k v
        d2: DEL k l m
        d2: SADD l x
        d2: RENAME l m
        a3: EXISTS k l m
        d2: SET k v PX 100000
        d2: PEXPIREAT k 1
        a3: GET k
        b3: GET k
        d2: FLUSHDB
        a3: GET k
        a3: FLUSHALL
        a3: CLIENT TRACKINGINFO
        b3: CLIENT TRACKINGINFO
        a3: CLIENT INFO
        a3: CLIENT GETREDIR
        a3: CLIENT TRACKING OFF
        a3: CLIENT TRACKINGINFO
        a3: CLIENT GETREDIR
        a3: GET k
        d2: SET k v
        b3: GET k
        b3: RESET
        d2: SET k v
        """,
    "client-side caching by choice": """
        a3: CLIENT TRACKING ON OPTIN
        b3: CLIENT TRACKING ON OPTOUT
        a3: GET k
        a3: CLIENT CACHING YES
        a3: CLIENT TRACKINGINFO
        a3: GET l
        a3: GET m
        b3: GET k
        b3: CLIENT CACHING NO
        b3: CLIENT TRACKINGINFO
        b3: GET l
        b3: GET m
        d2: MSET k 1 l 1 m 1
        a3: CLIENT CACHING NO
        b3: CLIENT CACHING YES
        a3: CLIENT CACHING MAYBE
        d2: CLIENT CACHING YES
        a3: CLIENT TRACKING ON OPTOUT
        a3: CLIENT TRACKING ON
        a3: CLIENT TRACKINGINFO
        a3: CLIENT TRACKING ON BCAST
        """,
    "broadcasting": """
        a3: CLIENT TRACKING ON BCAST
        b3: CLIENT TRACKING ON BCAST PREFIX a: PREFIX b: NOLOOP
        c2: CLIENT TRACKING ON BCAST
        d2: SET a:1 x
        d2: SET b: x
        d2: SET c x
        b3: SET a:2 x
        a3: SET a:3 x
        d2: DEL a:1
        d2: FLUSHALL
        b3: CLIENT TRACKINGINFO
        b3: CLIENT INFO
        b3: CLIENT TRACKING ON BCAST PREFIX a:b
        b3: CLIENT TRACKING ON BCAST PREFIX c PREFIX d PREFIX cd
        b3: CLIENT TRACKING ON PREFIX c
        b3: CLIENT TRACKING ON BCAST OPTIN
        b3: CLIENT TRACKING ON
        b3: CLIENT TRACKING ON BCAST PREFIX c
        b3: CLIENT TRACKINGINFO
        d2: SET cd x
        d2: SET a:1 x
        b3: CLIENT TRACKING OFF
        d2: SET a:1 x
        """,
    "redirection": """
        a2: SUBSCRIBE __redis__:invalidate
        b2: CLIENT TRACKING ON REDIRECT $a2
        b2: CLIENT GETREDIR
        b2: CLIENT TRACKINGINFO
        b2: CLIENT INFO
        b2: GET k
        d2: SET k v
        b2: GET k
        b2: SET k own
        b2: GET k
        d2: FLUSHALL
        a2: UNSUBSCRIBE
        b2: GET k
        d2: SET k v
        c3: CLIENT TRACKING ON REDIRECT $b2 NOLOOP
        c3: GET k
        d2: SET k v
        b2: HELLO 3
        c3: GET k
        d2: SET k v
        c3: GET k
        a2: QUIT
        b2: GET l
        d2: SET l v
        b2: CLIENT TRACKINGINFO
        b2: CLIENT INFO
        b2: CLIENT TRACKING ON REDIRECT 99999999
        b2: CLIENT TRACKING ON REDIRECT x
        b2: CLIENT TRACKING ON REDIRECT $c3 REDIRECT $c3
        b2: CLIENT TRACKING ON REDIRECT
        b2: CLIENT TRACKING ON NOSUCH
        b2: CLIENT TRACKING MAYBE
        d2: CLIENT TRACKING ON OPTIN OPTOUT
        """,
}


class Talk:
    """One side of a conversation."""

    def __init__(self, address, name):
        self.address, self.name = address, name
        self.clients, self.ids = {}, {}

    def client(self, name):
        if name not in self.clients:
            connection = Connection(self.address, self.name)
            if name[-1] == "3":
                connection.call("HELLO", "3")
            self.ids[name] = connection.call("CLIENT", "ID")[1]
            self.clients[name] = connection
        return self.clients[name]

    def without_ids(self, reply):
        kind, value = reply
        if isinstance(value, tuple):
            return kind, tuple(self.without_ids(item) for item in value)
        for name, number in self.ids.items():
            if kind == ":" and value == number:
                return kind, name
        return reply

    def comparable(self, words, reply):
        shows_ids = words[0] == "CLIENT" or (isinstance(reply[1], tuple) and reply[1][0] == BROKEN)
        return self.without_ids(reply) if shows_ids else reply

    def received(self, words, name):
        connection, replies = self.clients[name], []
        try:
            # Twice: Redis broadcasts invalidations only when it has handled what it has received.
            for _ in range(2):
                connection.send([[b"PING"]])
                while (reply := connection.read()) not in PONGS:
                    replies.append(self.comparable(words, reply))
        except (ServerFailure, OSError):
            replies.append("the end")
        return replies

    def say(self, name, words):
        connection = self.client(name)
        command = [self.ids[word[1:]] if word[0] == "$" else word.encode() for word in words]
        connection.send([command])
        order = [name] + sorted(set(self.clients) - {name})
        return {each: self.received(words, each) for each in order}


def normal(words, replies):
    line = " ".join(words).upper()
    if words[0] == "HELLO":  # the version
        return [reply[0] for reply in replies]
    if line == "CLIENT INFO":
        return [[field for field in reply[1].split() if field.startswith(FIELDS)]
                if reply[0] in "$=" else reply for reply in replies]
    if any(line.startswith(start) for start in UNORDERED):
        return [sorted(repr(reply)) for reply in replies]  # but for their order
    # redis-server goes through a hash table of patterns whose seed is another in each process.
    return sorted(replies, key=pattern_of)


def pattern_of(reply):
    """Of a message to a pattern; all others stay in front of them, in their order."""
    _, value = reply if reply != "the end" else ("", None)
    is_of_pattern = isinstance(value, tuple) and value[:1] == (("$", b"pmessage"),)
    return value[1][1] if is_of_pattern else b""


def compare(node_and_servers):
    node, running = node_and_servers
    server = running.redis("reference-push")
    differences = []
    try:
        for title, text in CONVERSATIONS.items():
            talks = [Talk(f"{HOST}:{each.port}", each.name) for each in (server, node)]
            for talk in talks:
                talk.client("d2").call("FLUSHALL")
                talk.client("d2").call("CONFIG", "SET", "notify-keyspace-events", "")
            for line in text.split("\n"):
                if not line.strip():
                    continue
                name, *words = line.split()
                told = [talk.say(name[:-1], words) for talk in talks]
                for client in told[0]:
                    a, b = (normal(words, each[client]) for each in told)
                    if a != b:
                        differences.append(f"{title}: {line.strip()}: {client} received\n"
                                           f"    redis-server {a!r}\n    metaStore    {b!r}")
        if differences:
            raise Failure("\n".join(differences))
    finally:
        running.stop([server])


CHECK = Check("what subscribers, client-side caches and their like are sent, as redis-server sends it", compare)
