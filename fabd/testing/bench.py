"""A house around one driver, as small as a test can have it: an attempt, its readings, who answers prompts."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fabd.drivers import Answer, Driver, Meter, Program, Prompt, Reading
from fabd.simulators import machine, plug_in, scrap


def first_choice(prompt: Prompt) -> Answer:
    """Answer with what the prompt offers first; where it takes a number, with none of the pieces made."""
    choice = prompt.choices[0]
    return Answer(choice=choice, number=0 if choice.endswith("=") else None)


class BenchAttempt:
    """Implements `fabd.drivers.Attempt`, and keeps every reading."""

    def __init__(self, program: Program, file: Path, answer: Callable[[Prompt], Answer] = first_choice) -> None:
        self.id = "bench-1"
        self.ticket = "K7"
        self.program = program
        self.file = file
        self.last: Reading | None = None
        self.readings: list[Reading] = []
        self.asked: list[Prompt] = []
        self._reported_s: list[float] = []
        self._answer = answer
        self._loop = asyncio.get_running_loop()
        self._open = asyncio.Event()
        self._open.set()

    def report(self, reading: Reading) -> None:
        self.last = reading
        self.readings.append(reading)
        self._reported_s.append(self._loop.time())

    async def gate(self) -> None:
        await self._open.wait()

    async def ask(self, prompt: Prompt) -> Answer:
        self.asked.append(prompt)
        await asyncio.sleep(0)  # nobody answers in no time
        return self._answer(prompt)

    def shut(self) -> None:
        """Let the driver wait at its next gate."""
        self._open.clear()

    def open(self) -> None:
        """Let the driver go on."""
        self._open.set()

    @property
    def longest_silence_s(self) -> float:
        """The longest time between two readings, by the loop's clock."""
        return max((later - sooner for sooner, later in itertools.pairwise(self._reported_s)), default=0.0)


@dataclass(frozen=True, kw_only=True)
class SimulatedSide:
    """The simulated machine at the other end of the wire, and how to read from it what it really did.

    `used` gives what it counted since it was built. `is_safe` says whether nothing can hurt: heaters off, pen up,
    needle stopped; `at_work` is an instant in the middle of a piece when that is not so. `half_line` is the beginning
    of a command, as a write leaves it that was cancelled.
    """

    url: str
    used: Callable[[Any], Mapping[Meter, float]]
    is_safe: Callable[[Any], bool]
    at_work: Callable[[Any], bool]
    half_line: bytes

    @property
    def machine(self) -> Any:
        """The machine itself, built on first use."""
        return machine(self.url)

    def renew(self) -> None:
        """Put a new machine there."""
        scrap(self.url)

    def hear(self, data: bytes) -> None:
        """Let the machine hear bytes that the driver does not know of."""
        self.machine.step(asyncio.get_running_loop().time(), data)

    async def unplug(self) -> None:
        """Pull the driver's plug."""
        (await plug_in(self.url)).close()


def _run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


@dataclass(frozen=True, kw_only=True)
class DriverCase:
    """One driver to be tested: with its settings, a program that its machine can make, and who answers prompts.

    `run` runs a coroutine to its end; a loop whose clock jumps makes a long piece short. Without `simulated`, on
    hardware, tests are left out that need to know what the machine really did, or that pull its plug.
    """

    name: str
    driver: type[Any]
    """A class that is a `Driver`; its constructor may insist on its own `Config`."""
    settings: Mapping[str, object]
    program: Program
    file: Path
    answer: Callable[[Prompt], Answer] = first_choice
    run: Callable[[Coroutine[Any, Any, None]], None] = _run
    simulated: SimulatedSide | None = None

    def build(self) -> Driver:
        """A new driver, not connected."""
        driver: Driver = self.driver(self.driver.Config.model_validate(dict(self.settings)))
        return driver

    def attempt(self) -> BenchAttempt:
        return BenchAttempt(self.program, self.file, self.answer)
