"""What the rooms above the queue are handed: the configuration in force, the store, and each machine's worker."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fabd.config import Configuration
from fabd.errors import NotFound
from fabd.model import Message
from fabd.store import Store

if TYPE_CHECKING:
    from fabd.queue.worker import Worker


MOST_PARSERS = 2
"""How many visitors' files are read at once: parsers take a core each, and the machines' streams want one too."""


@dataclass(slots=True)
class House:
    """One café while its daemon runs. `config` is replaced as a whole by a reload, never changed in place."""

    config: Configuration
    store: Store
    workers: "dict[str, Worker]" = field(default_factory=dict)
    """By machine, in the order of the configuration; a reload replaces it as a whole, together with that."""
    waiting: Mapping[int, Message] = field(default_factory=dict)
    """Why each pending job waits, as the dispatcher last found; derived, so that no restart needs it."""
    parsers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_PARSERS))
    """Whoever reads a visitor's file holds one of these."""

    def worker(self, machine_id: str) -> "Worker":
        """Who works that machine; raises `NotFound` with the machines that there are."""
        found = self.workers.get(machine_id)
        if found is None:
            raise NotFound("machine-unknown", machine=machine_id, known=", ".join(self.workers) or "-")
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who asks: the account, known from the socket, and the facilitator in person, where `--as` named one."""

    account: str
    uid: int
    administrator: bool
    facilitator: bool
    sender: bool
    """May send jobs; an account that may not even do that may look."""
    person: str | None = None

    @property
    def described(self) -> str:
        """`pi` or `pi/lea`: what is recorded of who did something."""
        return self.account if self.person is None else f"{self.account}/{self.person}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What somebody wants made of a file. `member` is `None` for a walk-in without a name."""

    title: str
    member: str | None = None
    payer: str | None = None
    machine: str | None = None
    material: str | None = None
    copies: int = 1
