"""What the rooms above the queue are handed: the configuration in force, the store, and each machine's worker."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fabd.config import Configuration
from fabd.model import Message
from fabd.store import Store

if TYPE_CHECKING:
    from fabd.queue.worker import Worker


@dataclass(slots=True)
class House:
    """One café while its daemon runs. `config` is replaced as a whole by a reload, never changed in place."""

    config: Configuration
    store: Store
    workers: "dict[str, Worker]" = field(default_factory=dict)
    waiting: Mapping[int, Message] = field(default_factory=dict)
    """Why each pending job waits, as the dispatcher last found; derived, so that no restart needs it."""


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
