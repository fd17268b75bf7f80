"""The power fails, again and again, at any instant: what the disk holds then is always one of the things it may hold.

The real daemon in a process of its own, with simulated machines and people who do whatever comes to their minds; it is
killed at a random instant, looked at, and started again on the same disk. `FABD_POWER_CUTS` says how often,
`FABD_POWER_CUTS_SEED` replays the same people (not the same instants: those are the kernel's).
"""

import gc
import json
import os
import random
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from fabd.client import Client, ClientError, Trouble
from fabd.metering import ledger
from fabd.model import JobState
from fabd.queue.prompts import CLEAR_OUTPUT
from fabd.queue.states import UNDER_WAY
from fabd.store import Connection
from fabd.store.schema import attempt, entry, job, outbox, prompt
from fakes.nursery import Nursery

CUTS = int(os.environ.get("FABD_POWER_CUTS", "30"))
SEED = int(os.environ.get("FABD_POWER_CUTS_SEED", "1"))
SAMPLES = Path(__file__).parents[1] / "samples"
FILES = {"tower.gcode": (SAMPLES / "tower.gcode").read_bytes(), "rosette.dst": (SAMPLES / "rosette.dst").read_bytes()}
ADOPTS = "brother-1"

FABD_TOML = """
[site]
id = "test"
name = "Test"
[store]
path = "{directory}/store"
[api]
socket = "{directory}/fabd.sock"
"""
MACHINES_TOML = """
[[machine]]
id = "mk4-1"
name = "mk4-1"
kind = "printer"
driver = "marlin"
[machine.settings]
url = "sim://marlin?seed=1&speed=2000"

[[machine]]
id = "mk4-2"
name = "mk4-2"
kind = "printer"
driver = "marlin"
[machine.settings]
url = "sim://marlin?seed=2&speed=500"

[[machine]]
id = "brother-1"
name = "brother-1"
kind = "embroiderer"
driver = "embroidery"
[machine.settings]
url = "sim://embroidery?seed=3&speed=2000"
"""


@contextmanager
def refusals_are_fine() -> Iterator[None]:
    """People ask for what is not to be had; only that nobody answers ends their day."""
    try:
        yield
    except ClientError as error:
        if error.trouble not in (Trouble.REFUSED, Trouble.WRONG):
            raise


@dataclass
class People:
    """Everybody in the café. They remember what they were told, so that nothing of it can be forgotten."""

    chance: random.Random
    told: set[str] = field(default_factory=set)
    """The jobs that the daemon has confirmed."""
    unanswered: dict[str, str] = field(default_factory=dict)
    """Files that were sent under a key, and not confirmed: they are sent again."""
    sent: int = 0

    def act(self, client: Client, closing: threading.Event) -> None:
        """Do this and that until the daemon is gone."""
        while not closing.is_set():
            try:
                with refusals_are_fine():
                    self._one_thing(client)
            except ClientError:
                return

    def _one_thing(self, client: Client) -> None:
        machine = self.chance.choice(["mk4-1", "mk4-2", ADOPTS])
        jobs = [job.id for job in client.jobs()] or ["1"]
        deed = self.chance.choices(["send", "serve", "change", "machine"], [3, 6, 2, 1])[0]
        if deed == "send":
            self._send(client)
        elif deed == "serve":
            for asked in client.prompts():
                choice = asked.choices[0] if self.chance.random() < 0.8 else self.chance.choice(asked.choices)
                with refusals_are_fine():
                    client.answer(asked.machine, choice + "7" if choice.endswith("=") else choice)
            with refusals_are_fine():
                client.ready(machine)
        elif deed == "change":
            client.change_job(self.chance.choice(jobs), self.chance.choice(["cancel", "hold", "release", "retry"]))
        else:
            client.change_machine(machine, self.chance.choice(["pause", "emergency"]))
            for verb in ("resume", "open"):
                client.change_machine(machine, verb)

    def _send(self, client: Client) -> None:
        if not self.unanswered:
            self.sent += 1
            self.unanswered[f"key-{self.sent}"] = self.chance.choice([*FILES])
        key, name = next(iter(self.unanswered.items()))
        options: dict[str, str | int | bool] = {"title": name, "copies": 1 + self.sent % 2}
        self.told.add(client.submit(BytesIO(FILES[name]), options, key).id)
        del self.unanswered[key]


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_whenever_the_power_fails_nothing_is_forgotten_doubled_or_begun_unasked(tmp_path: Path) -> None:
    (tmp_path / "fabd.toml").write_text(FABD_TOML.format(directory=tmp_path))
    (tmp_path / "machines.toml").write_text(MACHINES_TOML)
    people = People(random.Random(SEED))
    with Nursery(tmp_path) as nursery:
        nursery.begin()
        for cut in range(CUTS):
            if cut % 4 == 3:  # now and then it is killed while it opens
                time.sleep(people.chance.uniform(0.0, 0.3))
                nursery.end(signal.SIGKILL)
            else:
                live(nursery, people, people.chance.uniform(0.1, 0.7), signal.SIGKILL)
            assert look(tmp_path, people) == [], f"seed {SEED}, after cut {cut}"
            nursery.begin()
        assert live(nursery, people, 0.7, signal.SIGTERM) == 0
        assert look(tmp_path, people) == [], f"seed {SEED}, after an orderly end"
    gc.collect()  # httpcore leaves the socket of a refused connection to the collector: not to that of another test
    log = (tmp_path / "log").read_text()
    assert "NEVER BEGAN" not in log, log
    assert begun_twice(log) == []
    assert people.told, "somebody must have been served, or this has proven nothing"


def live(nursery: Nursery, people: People, seconds: float, end: signal.Signals) -> int:
    """Let people act for a while; returns the exit code of the daemon that is ended while they do."""
    with nursery.open() as client:
        closing = threading.Event()
        acting = threading.Thread(target=people.act, args=(client, closing))
        acting.start()
        time.sleep(seconds)
        code = nursery.end(end)
        closing.set()
        acting.join()
    return code


def look(directory: Path, people: People) -> list[str]:
    """All that is wrong with what the disk holds while no daemon runs."""
    engine = sa.create_engine(f"sqlite:///{directory / 'store' / 'fabd.sqlite3'}", poolclass=sa.NullPool)
    with engine.connect() as c:
        return [*wrong_jobs(c, people), *wrong_beds(c), *wrong_prompts(c), *wrong_charges(c)]


def wrong_jobs(c: Connection, people: People) -> Iterator[str]:
    attempts: dict[int, list[Any]] = defaultdict(list)
    for row in c.execute(sa.select(attempt).order_by(attempt.c.number)):
        attempts[row.job].append(row)
    jobs = c.execute(sa.select(job)).all()
    for row in jobs:
        made = attempts[row.id]
        still = [one.number for one in made if one.state != "ended"]
        if len(still) != (JobState(row.state) in UNDER_WAY):
            yield f"job {row.id} is {row.state}, and its attempts {still} are open"
        if [one.number for one in made] != list(range(1, len(made) + 1)):
            yield f"job {row.id} has attempts {[one.number for one in made]}"
        if row.copies_done != sum(one.outcome == "completed" for one in made):
            yield f"job {row.id} counts {row.copies_done} copies, and its attempts say otherwise"
        if row.copies_done > row.copies:
            yield f"job {row.id} was made {row.copies_done} times instead of {row.copies}"
    if forgotten := people.told - {str(row.id) for row in jobs}:
        yield f"jobs {forgotten} were confirmed, and are not there"
    if len(jobs) > people.sent:
        yield f"{len(jobs)} jobs were made of {people.sent} files"


def wrong_beds(c: Connection) -> Iterator[str]:
    """Nothing is claimed for a machine before a person has cleared away what was made there before."""
    cleared = set(
        c.execute(
            sa.select(prompt.c.attempt).where(prompt.c.key == CLEAR_OUTPUT, prompt.c.answer.is_not(None))
        ).scalars()
    )
    before: dict[str, int] = {}
    for row in c.execute(sa.select(attempt.c.id, attempt.c.machine).order_by(attempt.c.id)):
        if row.machine in before and before[row.machine] not in cleared:
            yield f"attempt {row.id} began on {row.machine} on top of attempt {before[row.machine]}"
        before[row.machine] = row.id


def wrong_prompts(c: Connection) -> Iterator[str]:
    states = {row.id: row.state for row in c.execute(sa.select(attempt.c.id, attempt.c.state))}
    asked = c.execute(sa.select(prompt)).all()
    for row in asked:
        if row.answered_at is None and (row.key == CLEAR_OUTPUT) is not (states[row.attempt] == "ended"):
            yield f"prompt {row.key} of attempt {row.attempt} waits, which is {states[row.attempt]}"
    to_clear = Counter(row.attempt for row in asked if row.key == CLEAR_OUTPUT)
    for number, state in states.items():
        if to_clear[number] != (state == "ended"):
            yield f"attempt {number} is {state}, and asks {to_clear[number]} times to be cleared away"


def wrong_charges(c: Connection) -> Iterator[str]:
    entries = c.execute(sa.select(entry).order_by(entry.c.seq)).all()
    reversed_ids = {row.reverses for row in entries}
    standing = Counter(row.attempt for row in entries if row.kind == "charge" and row.id not in reversed_ids)
    for row in c.execute(sa.select(attempt.c.id, attempt.c.state)):
        if standing[row.id] != (row.state == "ended"):
            yield f"attempt {row.id} is {row.state}, and {standing[row.id]} charges of it stand"
    numbers = list(range(1, len(entries) + 1))
    if [row.seq for row in entries] != numbers:
        yield "the ledger has gaps"
    if list(c.execute(sa.select(outbox.c.seq).order_by(outbox.c.seq)).scalars()) != numbers:
        yield "the outbox is not the ledger"
    yield from (str(problem) for problem in ledger.verify(c).problems)


def begun_twice(log: str) -> list[tuple[object, ...]]:
    """The attempts that were begun more than once; a machine that goes on without us is only found again."""
    begun: Counter[tuple[object, ...]] = Counter()
    for line in log.splitlines():
        with suppress(json.JSONDecodeError):  # the last line before a cut
            event = json.loads(line)
            if event.get("event") == "attempt runs" and event["machine"] != ADOPTS:
                begun[event["job"], event["attempt"]] += 1
    return [one for one, times in begun.items() if times > 1]
