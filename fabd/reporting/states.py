"""The state topics: a machine's whole state, retained, and each change of a job's state.

They are looked at after each commit, and each second for what is not in the store: progress, temperatures.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa

from fabd.model import JobState
from fabd.queue.says import from_json, say_all
from fabd.queue.states import OPEN
from fabd.reporting.link import Link
from fabd.reporting.schemas import Job, Machine, encode, root
from fabd.store import Connection, Store
from fabd.store.schema import attempt, job, machine
from fabd.views import MachineView

LOOK_S = 1.0
"""How often progress and temperatures of a machine are told at most, and looked at."""
GAP_S = 0.1
"""The least time between two looks, however fast commits follow each other."""
RECENT = 50
"""How many of the newest jobs are watched beside the open ones: a finished piece may yet be found spoiled."""

Snapshot = Callable[[], Awaitable[Sequence[MachineView]]]


class MachineStates:
    """Publishes `machine/{id}/state` of one site; `run` is its part of one connection."""

    def __init__(self, store: Store, site: str, snapshot: Snapshot) -> None:
        self._store = store
        self._root = root(site)
        self._snapshot = snapshot

    async def run(self, link: Link) -> None:
        """Tell all of it, then what changes, until the connection is lost."""
        told: dict[str, _Told] = {}
        retained = await self._store.read(lambda c: set(c.execute(sa.select(machine.c.id)).scalars()))
        while True:
            seen = self._store.version
            states = [Machine.of(view) for view in await self._snapshot()]
            for state in states:
                await self._tell(link, state, told)
            for gone in (retained | told.keys()) - {state.id for state in states}:
                await link.publish(self._topic(gone), b"", retain=True)
                told.pop(gone, None)
            retained = set()
            await _next_look(self._store, seen)

    async def _tell(self, link: Link, state: Machine, told: "dict[str, _Told]") -> None:
        last, now_s = told.get(state.id), asyncio.get_running_loop().time()
        if last is not None and state == last.state:
            return
        if last is not None and now_s < last.at_s + LOOK_S and _standing(state) == _standing(last.state):
            return
        await link.publish(self._topic(state.id), encode(state), retain=True)
        told[state.id] = _Told(state=state, at_s=now_s)

    def _topic(self, machine_id: str) -> str:
        return f"{self._root}/machine/{machine_id}/state"


class JobStates:
    """Publishes `job/{id}/state` of one site; what changes during an outage is told after it, as it is then."""

    def __init__(self, store: Store, site: str) -> None:
        self._store = store
        self._root = root(site)
        self._known: dict[int, Job] | None = None

    async def run(self, link: Link) -> None:
        """Tell what changes until the connection is lost."""
        while True:
            seen = self._store.version
            known = self._known
            found = await self._store.read(partial(_recent_jobs, known=known or {}))
            for number, state in found.items():
                if known is not None and known.get(number) != state:
                    await link.publish(f"{self._root}/job/{number}/state", encode(state))
                    known[number] = state
            self._known = found
            await asyncio.sleep(GAP_S)
            await self._store.changed(seen)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Told:
    state: Machine
    at_s: float


def _standing(state: Machine) -> Machine:
    """What is told at once when it changes: all but the numbers that never stand still."""
    return state.model_copy(update={"progress": None, "remaining_s": None, "temperatures": ()})


async def _next_look(store: Store, seen: int) -> None:
    await asyncio.sleep(GAP_S)
    with suppress(TimeoutError):
        async with asyncio.timeout(LOOK_S - GAP_S):
            await store.changed(seen)


def _recent_jobs(c: Connection, known: Mapping[int, Job]) -> dict[int, Job]:
    """The jobs that may have changed: open, open when we last looked, or among the newest."""
    newest = c.execute(sa.select(sa.func.max(job.c.id))).scalar() or 0
    open_then = [number for number, state in known.items() if state.state in OPEN]
    rows = c.execute(
        sa.select(job.c.id, job.c.state, job.c.reasons, job.c.kind, job.c.copies, job.c.copies_done, job.c.changed_at)
        .where(job.c.state.in_([*OPEN]) | job.c.id.in_(open_then) | (job.c.id > newest - RECENT))
        .order_by(job.c.id)
    ).all()
    attempts = sa.select(attempt.c.job, attempt.c.machine, attempt.c.ticket).order_by(attempt.c.number)
    last = {a.job: a for a in c.execute(attempts.where(attempt.c.job.in_([row.id for row in rows])))}
    return {row.id: _job(row, last.get(row.id)) for row in rows}


def _job(row: Any, last: Any) -> Job:
    return Job(
        id=str(row.id),
        state=JobState(row.state),
        reasons=say_all(from_json(row.reasons)),
        kind=row.kind,
        copies=row.copies,
        copies_done=row.copies_done,
        machine=None if last is None else last.machine,
        ticket=None if last is None else last.ticket,
        changed_at=row.changed_at,
    )
