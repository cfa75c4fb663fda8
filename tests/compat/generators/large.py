"""Collections of thousands of elements: their rows are counted in several levels, rewritten when most
of them go, and walked from the middle. Each key holds one type."""

from generators.words import Group, pairs_without_order, unordered

MANY = 12000
LISTS = [b"large list %d" % i for i in range(2)]
SETS = [b"large set %d" % i for i in range(3)]
HASHES = [b"large hash %d" % i for i in range(2)]
SORTED_SETS = [b"large sorted set %d" % i for i in range(3)]
STREAMS = [b"large stream %d" % i for i in range(2)]
KINDS = [LISTS, SETS, HASHES, SORTED_SETS, STREAMS]


class Large(Group):
    name = "large"
    weight = 0.2

    def __init__(self, words):
        super().__init__(words)
        self.clock = 1

    def rules(self):
        return {b"SINTER": unordered, b"SDIFF": unordered, b"SMEMBERS": unordered,
                b"HGETALL": lambda command, a, b, tolerance_ms:
                pairs_without_order(a) == pairs_without_order(b)}

    def junk(self, command):
        return []  # mistakes are tried on small ones

    def number(self, low=0, high=MANY):
        return b"%d" % self.rng.randrange(low, high)

    def run(self, most=3000):
        """Numbers of neighbours, or of some spread over all."""
        rng = self.rng
        count = rng.choice([1, 2, 10, 300, rng.randrange(1, most)])
        if rng.randrange(3) == 0:
            return [b"%d" % rng.randrange(MANY) for _ in range(count)]
        first = rng.randrange(MANY)
        return [b"%d" % (i % MANY) for i in range(first, first + count)]

    def ends(self):
        rng = self.rng
        first = rng.choice([rng.randrange(-MANY, MANY), rng.randrange(-5, 5)])
        return [b"%d" % first, b"%d" % rng.choice([first + rng.randrange(40), rng.randrange(-MANY, MANY)])]

    def list(self):
        rng, key = self.rng, self.rng.choice(LISTS)
        return self.words.pick([
            (8, lambda: [rng.choice([b"RPUSH", b"LPUSH"]), key] + self.run()),
            (8, lambda: [b"LINDEX", key, self.ends()[0]]),
            (4, lambda: [b"LSET", key, self.ends()[0], b"set"]),
            (6, lambda: [[b"LINSERT", key, rng.choice([b"BEFORE", b"AFTER"]), pivot, self.number()]
                         for pivot in [self.number()] * rng.choice([1, 1, 30])]),
            (4, lambda: [b"LREM", key, b"%d" % rng.choice([0, 1, -1, 3]), self.number()]),
            (6, lambda: [b"LRANGE", key] + self.ends()),
            (0.5, lambda: [b"LRANGE", key, b"0", b"-1"]),
            (1, lambda: [b"LTRIM", key] + self.ends()),
            (4, lambda: [rng.choice([b"LPOP", b"RPOP"]), key, b"%d" % rng.choice([1, 5, 100, 3000])]),
            (3, lambda: [b"LPOS", key, self.number(), b"RANK", rng.choice([b"1", b"-1", b"2"])]),
            (2, lambda: [b"LMOVE", key, rng.choice(LISTS), rng.choice([b"LEFT", b"RIGHT"]),
                         rng.choice([b"LEFT", b"RIGHT"])])])

    def sorted_set(self):
        rng, key = self.rng, self.rng.choice(SORTED_SETS)
        scores = [self.number(), self.number()]
        member = b"m" + self.number()
        return self.words.pick([
            (10, lambda: [b"ZADD", key] + [word for i in self.run() for word in (
                i if rng.randrange(4) else b"%d" % rng.randrange(9), b"m" + i)]),
            (5, lambda: [b"ZREM", key] + [b"m" + i for i in self.run()]),
            (2, lambda: [b"ZREMRANGEBYRANK", key] + self.ends()),
            (2, lambda: [b"ZREMRANGEBYSCORE", key] + scores),
            (10, lambda: [rng.choice([b"ZRANK", b"ZREVRANK", b"ZSCORE"]), key, member]),
            (8, lambda: [b"ZCOUNT", key] + scores),
            (6, lambda: [b"ZINCRBY", key, self.number(-MANY), member]),
            (8, lambda: [rng.choice([b"ZRANGE", b"ZREVRANGE"]), key] + self.ends()),
            (8, lambda: [rng.choice([b"ZRANGEBYSCORE", b"ZREVRANGEBYSCORE"]), key] + scores +
             [b"LIMIT", self.number(0, 3000), b"10"]),
            (3, lambda: [rng.choice([b"ZPOPMIN", b"ZPOPMAX"]), key, b"%d" % rng.choice([1, 5, 200, 2000])]),
            (1, lambda: [rng.choice([b"ZUNIONSTORE", b"ZINTERSTORE", b"ZDIFFSTORE"]), rng.choice(SORTED_SETS),
                         b"2", key, rng.choice(SORTED_SETS)]),
            (1, lambda: [b"ZRANGESTORE", rng.choice(SORTED_SETS), key] + self.ends()),
            (0.5, lambda: [b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"])])

    def set(self):
        rng, key = self.rng, self.rng.choice(SETS)
        return self.words.pick([
            (8, lambda: [b"SADD", key] + self.run()),
            (6, lambda: [b"SREM", key] + self.run()),
            (4, lambda: [b"SMISMEMBER", key] + self.run(50)),
            (1, lambda: [rng.choice([b"SINTER", b"SDIFF"]), key, rng.choice(SETS)]),
            (2, lambda: [b"SINTERCARD", b"2", key, rng.choice(SETS), b"LIMIT", self.number(0, 3000)]),
            (1, lambda: [rng.choice([b"SINTERSTORE", b"SUNIONSTORE", b"SDIFFSTORE"])] +
             [rng.choice(SETS) for _ in range(3)]),
            (2, lambda: [b"SMOVE", key, rng.choice(SETS), self.number()]),
            (0.5, lambda: [b"SMEMBERS", key])])

    def hash(self):
        rng, key = self.rng, self.rng.choice(HASHES)
        return self.words.pick([
            (8, lambda: [b"HSET", key] + [word for i in self.run() for word in (b"f" + i, i)]),
            (6, lambda: [b"HDEL", key] + [b"f" + i for i in self.run()]),
            (6, lambda: [b"HMGET", key] + [b"f" + i for i in self.run(50)]),
            (4, lambda: [b"HINCRBY", key, b"f" + self.number(), b"1"]),
            (2, lambda: [b"HLEN", key]),
            (0.5, lambda: [b"HGETALL", key])])

    def stream(self):
        rng, key = self.rng, self.rng.choice(STREAMS)
        id = b"%d" % rng.randrange(max(0, self.clock - MANY), self.clock)

        def add():
            self.clock += 1
            return [b"XADD", key, b"%d" % self.clock, b"f", b"v"]

        return self.words.pick([
            (8, lambda: [add() for _ in range(rng.choice([1, 20, 500]))]),
            (2, lambda: [b"XTRIM", key, b"MAXLEN", self.number(0, 3000)]),
            (1, lambda: [b"XTRIM", key, b"MINID", id]),
            (4, lambda: [b"XDEL", key] + [b"%d" % rng.randrange(self.clock) for _ in range(20)]),
            (6, lambda: [b"XRANGE", key, id, b"+", b"COUNT", b"5"]),
            (6, lambda: [b"XREVRANGE", key, id, b"-", b"COUNT", b"5"]),
            (2, lambda: [b"XGROUP", b"CREATE", key, b"g", rng.choice([b"0", b"$", id])]),
            (6, lambda: [b"XREADGROUP", b"GROUP", b"g", rng.choice([b"a", b"b"]), b"COUNT",
                         rng.choice([b"1", b"100", b"2000"]), b"STREAMS", key, rng.choice([b">", b">", id])]),
            (4, lambda: [b"XACK", key, b"g"] + [b"%d" % rng.randrange(self.clock) for _ in range(50)]),
            (2, lambda: [b"XAUTOCLAIM", key, b"g", b"b", b"0", id, b"COUNT", b"50", b"JUSTID"]),
            (2, lambda: [b"XPENDING", key, b"g"]),
            (0.3, lambda: [b"XGROUP", b"DESTROY", key, b"g"]),
            (1, lambda: [b"XLEN", key])])

    def whole(self):
        rng = self.rng
        kind = rng.choice(KINDS)
        key, other = rng.choice(kind), rng.choice(kind)
        return rng.choice([[b"COPY", key, other, b"REPLACE"], [b"RENAME", key, other], [b"UNLINK", key],
                           [b"DEBUG", b"DIGEST-VALUE", key, other], [b"OBJECT", b"ENCODING", key],
                           [b"EXPIRE", key, b"100000"]])

    def makers(self):
        return [(6, self.list), (8, self.sorted_set), (4, self.set), (3, self.hash), (5, self.stream),
                (1, self.whole)]
