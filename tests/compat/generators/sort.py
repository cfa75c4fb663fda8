"""SORT over lists, sets and sorted sets, by themselves and by what other keys hold."""

from generators.words import JUNK, Group, without_order

ELEMENTS = ([b"%d" % i for i in range(16)] + [b"-3", b"007", b"1.5", b"1e3", b"0x10", b"inf", b" 4"])
# None that is out of a double's range: see PROBE.
TEXTS = [b"a", b"ab", b"abc", b"B", b"", b"\xff", b"z z", b"4 "]
# No other group knows these: lists have an order, and Redis gives a sorted set that it has sorted
# another encoding, in which -0 stays what it is.
LISTS = [b"sorted list %d" % i for i in range(4)]
SETS = [b"sorted set %d" % i for i in range(2)]
SORTED_SETS = [b"sorted sorted set %d" % i for i in range(2)]
TARGET = b"sorted target"
# Once any command has met a number out of a double's range, Redis 7.0 takes every element for one,
# until something else fails (it looks at an errno that it has not cleared). This list tells.
PROBE = b"two numbers"
NO_NUMBERS = ("-", b"ERR One or more scores can't be converted into double")
PATTERNS = [b"weight_*", b"weight_*", b"object_*->field", b"object_*->other", b"nothing_*", b"*",
            b"object_*->", b"weight_*->field", b"sort*", b"*->*", b"#"]


class Sort(Group):
    name = "sort"
    weight = 1
    refuses = False

    def __init__(self, words):
        super().__init__(words)
        self.keys = words.all_keys

    def junk(self, command):
        if PROBE in command or b"BY" in [word.upper() for word in command]:
            return []
        return [word for word in JUNK if b"\0" not in word]

    def rules(self):
        return {b"SORT": self.sorted_agree, b"SORT_RO": self.sorted_agree}

    def sorted_agree(self, command, a, b, tolerance_ms):
        if command[1:2] == [PROBE]:
            self.refuses = a == NO_NUMBERS
        if a == NO_NUMBERS and self.refuses:
            return True
        if a == b or a[0] != "*" or b[0] != "*":
            return a == b
        words = [word.upper() for word in command]
        if b"BY" in words and command[1] not in LISTS:
            # Elements of one weight, and sets that are not sorted, have no order.
            return len(a[1]) == len(b[1]) and (b"LIMIT" in words or without_order(a) == without_order(b))
        # Redis compares up to the first zero byte, which other groups' strings may have.
        return b"ALPHA" in words and any(b"\0" in (word or b"") for _, word in a[1] + b[1]) and (
            without_order(a) == without_order(b) or b"LIMIT" in words)

    def element(self):
        return self.rng.choice(TEXTS if self.rng.randrange(30) == 0 else ELEMENTS)

    def fill(self):
        rng = self.rng
        elements = [self.element() for _ in range(rng.choice([1, 2, 5, 30]))]
        kind = rng.randrange(3)
        if kind == 0:
            return [b"RPUSH", rng.choice(LISTS)] + elements
        if kind == 1:
            return [b"SADD", rng.choice(SETS)] + elements
        return [b"ZADD", rng.choice(SORTED_SETS)] + [
            word for element in elements for word in (b"%d" % rng.randrange(20), element)]

    def weigh(self):
        value = self.element()
        if self.rng.randrange(2):
            return [b"SET", b"weight_" + self.element(), value]
        return [b"HSET", b"object_" + self.element(), self.rng.choice([b"field", b"field", b"other"]), value]

    def sort(self):
        rng, words = self.rng, self.words
        read_only = rng.randrange(3) == 0
        source = rng.choice(LISTS + SETS + SORTED_SETS + [TARGET, b"weight_1", b"object_1", b"none"])
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
        # What is stored must be the same: not where the order is open, or numbers may be refused.
        if not read_only and rng.randrange(3) == 0 and (alpha and by is None or by == b"nosort"):
            options.append([words.word(b"STORE"), TARGET])
        rng.shuffle(options)
        return [[b"DEL", PROBE], [b"RPUSH", PROBE, b"1.5", b"2.5"], [b"SORT_RO", PROBE],
                command + [word for option in options for word in option]]

    def makers(self):
        rng = self.rng
        return [
            (12, self.fill),
            (12, self.weigh),
            (40, self.sort),
            (5, lambda: [b"LRANGE", TARGET, b"0", b"-1"]),
            (1, lambda: [b"DEL", rng.choice(LISTS + SETS + SORTED_SETS)]),
        ]
