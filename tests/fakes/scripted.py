"""A driver for tests, as another package might bring it: its machine does what the test says, step by step."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict

from fabd.drivers import Attempt, LinkLost, Message, Meter, Phase, Program, Reading

Run = Callable[["Scripted", Attempt], Awaitable[None]]


async def ends_well(driver: "Scripted", attempt: Attempt) -> None:
    """Report the whole program, and return."""
    total = attempt.program.curve.total
    attempt.report(Reading(phase=Phase.RUNNING, position=attempt.program.length, used=total))


@dataclass
class Bench:
    """What the test decides, and what it sees. One bench outlives the driver's connections, as a machine does."""

    run: Run = ends_well
    plugged: bool = True
    stop_fails: bool = False
    fails: Exception | None = None
    """What pausing and resuming raise."""
    against: Sequence[Message] = ()
    seen: list[str] = field(default_factory=list)
    final: Reading = Reading(phase=Phase.IDLE)


class ScriptedConfig(BaseModel):
    """The test's bench has all the settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Scripted:
    """The driver of a `Bench`."""

    Config: ClassVar[type[BaseModel]] = ScriptedConfig
    accepts: ClassVar[frozenset[str]] = frozenset({"gcode"})
    kinds: ClassVar[frozenset[str]] = frozenset({"printer"})
    adopts: ClassVar[bool] = False

    def __init__(self, config: BaseModel, bench: Bench) -> None:
        self.bench = bench

    async def __aenter__(self) -> Self:
        self._check()
        self.bench.seen.append("connect")
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.bench.seen.append("leave")

    def check(self, program: Program) -> Sequence[Message]:
        return self.bench.against

    def estimate_s(self, program: Program) -> float:
        return program.curve.total.get(Meter.MACHINE_S, 0.0)

    async def read(self) -> Reading:
        self._check()
        return self.bench.final

    async def run(self, attempt: Attempt) -> None:
        self.bench.seen.append("run")
        await self.bench.run(self, attempt)

    async def pause(self) -> None:
        self._obey()
        self.bench.seen.append("pause")

    async def resume(self) -> None:
        self._obey()
        self.bench.seen.append("resume")

    async def stop(self) -> None:
        self._check()
        await asyncio.sleep(0)
        if self.bench.stop_fails:
            raise LinkLost("wire-hung-up", wire="bench")
        self.bench.seen.append("stop")

    def _obey(self) -> None:
        self._check()
        if self.bench.fails is not None:
            raise self.bench.fails

    def _check(self) -> None:
        if not self.bench.plugged:
            raise LinkLost("wire-hung-up", wire="bench")


class ScriptedAdopter(Scripted):
    """The same, for a machine that goes on without us."""

    adopts: ClassVar[bool] = True
