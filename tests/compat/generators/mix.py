"""Batches of random commands of several groups, some of them with a mistake."""

from generators.bitmaps import Bitmaps
from generators.generic import Generic
from generators.geo import Geo
from generators.hashes import Hashes
from generators.hyperloglogs import Hyperloglogs
from generators.large import Large
from generators.lists import Lists
from generators.sets import Sets
from generators.sort import Sort
from generators.sorted_sets import SortedSets
from generators.streams import Streams
from generators.strings import Strings
from generators.words import KEYS, Words

GROUPS = [Strings, Bitmaps, Hyperloglogs, Hashes, Lists, Sets, SortedSets, Streams, Geo, Sort, Large,
          Generic]


class Mix:
    def __init__(self, rng, names=None):
        self.rng = rng
        self.words = Words(rng)
        # The list is shared: what is added later is seen by the groups that hold it.
        self.words.all_keys = list(KEYS)
        self.groups = [group(self.words) for group in GROUPS if not names or group.name in names]
        for group in self.groups:
            self.words.all_keys += [key for key in group.keys if key not in self.words.all_keys]
        self.weights = [group.weight for group in self.groups]
        self.rules = {}
        for group in self.groups:
            self.rules.update(group.rules())
        self.scans = [group for group in self.groups if group.scan]

    def with_mistake(self, command, junk):
        """Some of them are still valid."""
        rng = self.rng
        command = list(command)
        kind = rng.randrange(4)
        if kind == 0 and len(command) > 1:
            del command[rng.randrange(1, len(command))]
        elif kind == 1 or len(command) == 1:
            command.insert(rng.randrange(1, len(command) + 1), rng.choice(junk))
        else:
            command[rng.randrange(1, len(command))] = rng.choice(junk)
        return command

    def batch(self, size):
        commands = []
        while len(commands) < size:
            group = self.rng.choices(self.groups, self.weights)[0]
            self.words.home = group.keys
            made = group.commands()
            if self.rng.randrange(8) == 0:
                i = self.rng.randrange(len(made))
                junk = group.junk(made[i])
                if junk:
                    made[i] = self.with_mistake(made[i], junk)
            for command in made:
                commands.append(command)
                # Redis stores a string whose deadline has passed, and counts it until it looks.
                if command[0].upper() == b"SET" and len(command) > 1:
                    commands.append([b"EXISTS", command[1]])
        return commands
