"""What a check is: a function of one server, with a name, that raises when something is not as it must be."""

import os
import subprocess
from dataclasses import dataclass
from typing import Callable

TIMEOUT_S = 60


class Failure(Exception):
    """What a client saw is not what it must see."""


class Skip(Exception):
    """The check cannot run here; the text says why."""


@dataclass
class Check:
    name: str
    run: Callable
    http: bool = False  # needs the HTTP port, which redis-server does not have


ALL = []


def check(name, http=False):
    def register(function):
        ALL.append(Check(name, function, http))
        return function

    return register


def equal(actual, wanted, what):
    if actual != wanted:
        raise Failure(f"{what}: {short(actual)}, must be {short(wanted)}")


def contains(text, part, what):
    if part not in text:
        raise Failure(f"{what}: {short(part)} is not in {short(text)}")


def short(value):
    text = repr(value)
    return text if len(text) <= 400 else f"{text[:200]} … {text[-200:]}"


def output_of(command, stdin=b"", timeout_s=TIMEOUT_S, codes=(0,), env=None):
    """Runs a client and returns what it prints, as bytes. Any other exit code fails the check."""
    command = [str(word) for word in command]
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=timeout_s,
                              env=dict(os.environ, **(env or {})), check=False)
    except subprocess.TimeoutExpired as hung:
        raise Failure(f"{command[0]} does not end in {timeout_s} s; so far: {short(hung.stdout)}") from hung
    if done.returncode not in codes:
        raise Failure(f"{' '.join(command)!r}: exit code {done.returncode}: "
                      f"{short(done.stderr + done.stdout)}")
    return done.stdout
