"""What all generators of random commands share: keys, values, numbers and mistakes."""

DATABASES = 4

KEYS = ([b"k%d" % i for i in range(16)] + [b"{tag}%d" % i for i in range(6)] +
        [b"", b"a b", b"\x00\xff\r\n", b"glob*[x]", b"n" * 200])
# No number here may make a key expire within the run, or a string of hundreds of megabytes.
JUNK = [b"", b"abc", b"0", b"-1", b"-0", b"+1", b"01", b" 1", b"1 ", b"1.5", b"1e3", b"0x10", b"inf",
        b"-inf", b"nan", b"9223372036854775807", b"-9223372036854775808", b"9223372036854775808",
        b"18446744073709551616", b"536870912", b"9223372036854776", b"-9223372036854776",
        b"4294967296", b"#1", b"BIT", b"u8", b"i65", b"FAIL", b"NX", b"XX", b"GET", b"EX", b"KEEPTTL",
        b"\x00", b"a" * 150, b"\r\n"]
PATTERNS = [b"*", b"k*", b"?1", b"k[0-4]", b"{tag}*", b"", b"nothing", b"glob\\*\\[x\\]", b"*1*",
            b"[^k]*", b"k1", b"[k", b"\\"]


class Words:
    """Draws of one random source."""

    def __init__(self, rng):
        self.rng = rng
        # The keys that the group whose turn it is uses most, and those of all groups.
        self.home = KEYS
        self.all_keys = KEYS

    def key(self):
        return self.rng.choice(self.home if self.rng.randrange(8) else self.all_keys)

    def integer(self):
        rng = self.rng
        return b"%d" % rng.choice([rng.randrange(-20, 20), rng.randrange(-10**6, 10**6),
                                   rng.randrange(9990, 10010), rng.randrange(-2**63, 2**63)])

    def value(self):
        rng = self.rng
        kind = rng.randrange(10)
        if kind < 4:
            return self.integer()
        if kind < 5:
            return b"%.*f" % (rng.randrange(6), rng.uniform(-1000, 1000))
        if kind < 6:
            return bytes(rng.randrange(256) for _ in range(rng.randrange(60)))
        if kind < 7:
            return b"x" * rng.choice([0, 1, 20, 21, 43, 44, 45, 300])
        if kind == 7 and rng.randrange(100) == 0:
            return b"y" * 20000
        return bytes(rng.choice(b"abc") for _ in range(rng.randrange(50)))

    def time(self, unit):
        """Far enough ahead that nothing expires within the run, or refused, or in the past."""
        rng = self.rng
        if rng.randrange(12) == 0:
            return rng.choice(JUNK)
        seconds = rng.randrange(1000, 10**7)
        if unit in (b"EXAT", b"PXAT"):
            seconds = rng.choice([seconds, 1_900_000_000 + seconds, 4_000_000_000 + seconds])
        return b"%d" % (seconds if unit in (b"EX", b"EXAT") else seconds * 1000 + rng.randrange(1000))

    def word(self, text):
        """A keyword in some case."""
        kind = self.rng.randrange(3)
        return text if kind == 0 else text.lower() if kind == 1 else bytes(
            self.rng.choice([c, c ^ 32]) if chr(c).isalpha() else c for c in text)

    def time_options(self):
        unit = self.rng.choice([b"EX", b"PX", b"EXAT", b"PXAT"])
        return [self.word(unit), self.time(unit)]

    def keys(self, least=1, most=4):
        return [self.key() for _ in range(self.rng.randrange(least, most + 1))]

    def pick(self, makers):
        """What one of the (weight, maker) gives."""
        return self.rng.choices([make for _, make in makers], [weight for weight, _ in makers])[0]()


class Group:
    """The commands of one group. Subclasses give `makers`, and rules where replies may differ."""

    name = ""
    # How often the group comes among all of them.
    weight = 1
    # The command that scans a collection, and how many elements of its reply belong to one of it.
    scan = None
    scan_step = 1

    def __init__(self, words):
        self.words = words
        self.rng = words.rng
        self.keys = [b"%s%d" % (self.name.encode(), i) for i in range(8)]

    def makers(self):
        """Pairs of a weight and a function that gives a command, or a list of commands."""
        raise NotImplementedError

    def commands(self):
        """A few valid commands that belong together."""
        made = self.words.pick(self.makers())
        return made if isinstance(made[0], list) else [made]

    def junk(self, command):
        """What may be put into this command as a mistake; nothing where that would only show a
        difference that is known, or fill the memory."""
        return JUNK

    def rules(self):
        """Of commands whose replies may differ: name -> function(command, a, b, tolerance_ms)."""
        return {}


def unordered(command, a, b, tolerance_ms):
    return without_order(a) == without_order(b)


def same_type(command, a, b, tolerance_ms):
    return a[0] == b[0] and (a[0] != "-" or a == b)


def without_order(reply):
    if reply[0] not in "*~%" or reply[1] is None:
        return reply
    return reply[0], tuple(sorted(reply[1], key=repr))


def pairs_without_order(reply):
    """The same for elements that come in pairs."""
    if reply[0] not in "*%" or reply[1] is None or len(reply[1]) % 2:
        return reply
    return reply[0], tuple(sorted(zip(reply[1][::2], reply[1][1::2]), key=repr))


def times_agree(a, b, tolerance_ms, unit_ms):
    if a[0] != ":" or b[0] != ":":
        return a == b
    x, y = int(a[1]), int(b[1])
    if x < 0 or y < 0:
        return x == y
    return abs(x - y) * unit_ms <= tolerance_ms + (unit_ms if unit_ms > 1 else 0)
