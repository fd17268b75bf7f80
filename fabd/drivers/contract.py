"""The contract between fabd and a driver: one plain class, no base class to inherit."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Protocol, Self, runtime_checkable

from pydantic import BaseModel

from fabd.model import Answer, Message, Program, Prompt, Reading


class Attempt(Protocol):
    """All that a driver sees of the house while it runs one attempt."""

    @property
    def id(self) -> str:
        """A name unique to this attempt, of letters, digits and `-`: usable in a file name."""
        ...

    @property
    def ticket(self) -> str:
        """The short number that is written on the piece, such as `K7`."""
        ...

    @property
    def program(self) -> Program: ...

    @property
    def file(self) -> Path:
        """The bytes to run: those that `program.runs_sha256` names."""
        ...

    @property
    def last(self) -> Reading | None:
        """`None` for an attempt that begins now; else it was begun before: the last reading known of it.

        A daemon that was killed may have been killed early: the machine may have got the job, or not yet.
        """
        ...

    def report(self, reading: Reading) -> None:
        """Lay the latest reading into its slot. Never waits; call it at least every second, in every state."""

    async def gate(self) -> None:
        """Pass, or wait here while the attempt is paused. Call it between steps."""

    async def ask(self, prompt: Prompt) -> Answer:
        """Ask a person and wait; an answer stored earlier under the same key returns at once."""
        ...


@runtime_checkable
class Driver(Protocol):
    """What the session needs of a driver.

    A driver never retries, backs off or reconnects: the session does, for all of them. It raises `LinkLost`
    (the session reconnects), `MachineFault` (a person must act; as `JobLost`, decide about the job too) or
    `JobRejected` (the submitter must act); anything else stops this machine, in words, and no other. `pause()` and
    `stop()` may come while `run()` is anywhere.
    """

    Config: ClassVar[type[BaseModel]]
    """Its settings, validated before the daemon starts. Unknown keys must be errors."""
    accepts: ClassVar[frozenset[str]]
    """The formats that it runs; names are open, plugins may add their own."""
    kinds: ClassVar[frozenset[str]]
    """What such a machine can be: `printer`, `cutter`, `embroiderer` ..."""
    adopts: ClassVar[bool]
    """Whether the machine goes on without us, so that `run()` can attach to a job under way."""

    def __init__(self, config: BaseModel) -> None: ...

    async def __aenter__(self) -> Self:
        """Connect; raises `LinkLost`."""
        ...

    async def __aexit__(self, *exc: object) -> None:
        """Let go of the wire; leaves the machine as it is."""

    def check(self, program: Program) -> Sequence[Message]:
        """Why this machine cannot make `program`; empty when it can. Pure: asked before a job is accepted."""
        ...

    def estimate_s(self, program: Program) -> float:
        """How long this machine takes for `program`, in seconds of machine time. Pure."""
        ...

    async def read(self) -> Reading:
        """A snapshot without side effect.

        A machine that works on something that no `run()` of ours began says so: phase and the reason `FOREIGN_JOB`.
        It is given nothing meanwhile.
        """
        ...

    async def run(self, attempt: Attempt) -> None:
        """Run the attempt; returns when its end is proven, raises when it cannot be."""

    async def pause(self) -> None:
        """Make it safe to wait; `resume()` undoes it."""

    async def resume(self) -> None: ...

    async def stop(self) -> None:
        """Idempotent: heaters off, pen up, needle stopped. Begins with a line end where there are lines."""
