"""SORT over lists, sets and sorted sets, by themselves and by what other keys hold."""

from generators.words import JUNK, Group, without_order

ELEMENTS = ([b"%d" % i for i in range(16)] + [b"-3", b"007", b"1.5", b"1e3", b"0x10", b"inf", b" 4"])
# None that is out of a double's range: Redis takes what an earlier command said of one for its own.
TEXTS = [b"a", b"ab", b"abc", b"B", b"", b"\xff", b"z z", b"4 "]
# Keys that no other group knows, so that they never hold anything else: lists have an order.
LISTS = b"list to sort "
PATTERNS = [b"weight_*", b"weight_*", b"object_*->field", b"object_*->other", b"nothing_*", b"*",
            b"object_*->", b"weight_*->field", b"sort*", b"*->*", b"#"]


class Sort(Group):
    name = "sort"
    weight = 1

    def junk(self, command):
        return [word for word in JUNK if b"\0" not in word]

    def rules(self):
        return {b"SORT": self.sorted_agree, b"SORT_RO": self.sorted_agree}

    @staticmethod
    def sorted_agree(command, a, b, tolerance_ms):
        if a == b or a[0] != "*" or b[0] != "*":
            return a == b
        words = [word.upper() for word in command]
        if b"BY" in words and not command[1].startswith(LISTS):
            # Elements of one weight, and sets that are not sorted, have no order.
            return len(a[1]) == len(b[1]) and (b"LIMIT" in words or without_order(a) == without_order(b))
        # Redis compares up to the first zero byte.
        return any(b"\0" in (element[1] or b"") for element in a[1]) and len(a[1]) == len(b[1])

    def element(self):
        return self.rng.choice(TEXTS if self.rng.randrange(30) == 0 else ELEMENTS)

    def key(self, kind):
        """Lists, sets and sorted sets have keys of their own, mostly."""
        number = self.rng.randrange(8)
        if kind == "list" and number < 4:
            return LISTS + b"%d" % number
        if self.rng.randrange(30):
            number = {"list": number % 3, "set": 3 + number % 2, "sorted set": 5 + number % 2}.get(kind, number)
        return b"sort%d" % number

    def fill(self):
        kind = self.rng.choice(["list", "set", "sorted set"])
        elements = [self.element() for _ in range(self.rng.choice([1, 2, 5, 30]))]
        if kind == "sorted set":
            return [b"ZADD", self.key(kind)] + [word for element in elements
                                                for word in (b"%d" % self.rng.randrange(20), element)]
        return [b"RPUSH" if kind == "list" else b"SADD", self.key(kind)] + elements

    def weigh(self):
        value = self.element()
        if self.rng.randrange(2):
            return [b"SET", b"weight_" + self.element(), value]
        return [b"HSET", b"object_" + self.element(), self.rng.choice([b"field", b"field", b"other"]), value]

    def sort(self):
        rng, words = self.rng, self.words
        read_only = rng.randrange(3) == 0
        source = self.key("list") if rng.randrange(3) == 0 else self.words.key()
        command = [b"SORT_RO" if read_only else b"SORT", source]
        alpha = rng.randrange(3) == 0
        by = rng.choice([None, None, b"nosort", rng.choice(PATTERNS)])
        options = []
        if alpha:
            options.append([words.word(b"ALPHA")])
        if by is not None:
            options.append([words.word(b"BY"), by])
        if rng.randrange(2):
            options.append([words.word(rng.choice([b"ASC", b"DESC"]))])
        if rng.randrange(3) == 0:
            options.append([words.word(b"LIMIT"), b"%d" % rng.randrange(-2, 12), b"%d" % rng.randrange(-2, 12)])
        for _ in range(rng.choice([0, 0, 0, 1, 2])):
            options.append([words.word(b"GET"), rng.choice(PATTERNS)])
        # What is stored must be the same: not where the order is open.
        if not read_only and rng.randrange(3) == 0 and (by in (None, b"nosort") or not alpha):
            options.append([words.word(b"STORE"), b"sort7"])
        rng.shuffle(options)
        return command + [word for option in options for word in option]

    def makers(self):
        return [
            (12, self.fill),
            (12, self.weigh),
            (40, self.sort),
            (5, lambda: [b"LRANGE", b"sort7", b"0", b"-1"]),
            (1, lambda: [b"DEL", self.key(self.rng.choice(["list", "any"]))]),
        ]
