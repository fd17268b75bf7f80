"""What the command line is run in, and how a command ended."""

import os
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """How one command ended."""

    code: int
    out: str
    err: str


Fabd = Callable[..., Outcome]
"""Runs one command: its arguments, then `stdin` as bytes and the environment by name."""


def environment(**more: str) -> dict[str, str]:
    """No terminal's, no account's: the same on every machine."""
    ours = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb", "TZ": "Europe/Paris", "FABD_LANG": "en"}
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONUTF8": "1", **ours, **more}
