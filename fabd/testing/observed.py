"""What the contract suite looks at, and how long it waits for it."""

import asyncio
import itertools
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from fabd.drivers import Driver, Meter
from fabd.testing.bench import BenchAttempt, SimulatedSide

REPORTS_S = 1.0
"""How often a driver reports at least, and how promptly it ends when it is told to."""
LOOK_S = 0.05
AGREES = 0.001
"""How far a driver may be from what its machine counted: a thousandth."""


async def until_at_work(driver: Driver, attempt: BenchAttempt, side: SimulatedSide) -> "asyncio.Task[None]":
    run = asyncio.create_task(driver.run(attempt), name="run on the bench")
    while not side.at_work(side.machine):
        assert not run.done(), "it ended before it was ever at work: " + repr(run.exception())
        await asyncio.sleep(LOOK_S)
    return run


async def over(run: "asyncio.Task[None]") -> None:
    """Wait for a run that was told to end: promptly, though what moves may have to come to rest."""
    await asyncio.wait([run], timeout=REPORTS_S)
    assert run.done(), "the run goes on"


def never_falls(attempt: BenchAttempt) -> None:
    for sooner, later in itertools.pairwise(attempt.readings):
        assert sooner.position <= later.position
        for meter, quantity in sooner.used.items():
            assert quantity <= later.used[meter]


def agrees(reported: Mapping[Meter, float], counted: Mapping[Meter, float]) -> None:
    assert counted
    for meter, quantity in counted.items():
        assert reported[meter] == pytest.approx(quantity, rel=AGREES)


def left() -> tuple[int, set[tuple[str, str]]]:
    """What a driver could leave: tasks, and open descriptors."""
    descriptors = set()
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that lists the directory
            descriptors.add((entry.name, str(entry.readlink())))
    return len(asyncio.all_tasks()), descriptors
