"""Embroidery machines that take a design from a stick, and tell us nothing.

The design is checked against the hoop and delivered; people start the machine, change its threads and say when it is
done. Progress is an estimate by the clock, marked so, and never reaches the end on its own: only a person's word does.
"""

import asyncio
import itertools
from bisect import bisect_right
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from fabd.drivers.contract import Attempt
from fabd.drivers.deliver import Stick, check_stick_url, open_stick
from fabd.drivers.wire import time_scale
from fabd.errors import JobRejected, MachineFault
from fabd.model import Message, Meter, Method, Phase, Program, Prompt, Reading, Thread
from fabd.tasks import end, own

T = TypeVar("T")

REPORT_S = 0.5
StitchFormat = Literal["dst", "pes", "exp", "jef", "vp3"]
FORMATS: frozenset[StitchFormat] = frozenset(get_args(StitchFormat))
STOP_AT_MACHINE = "embroidery-stop-at-machine"
FILE_LEFT = "embroidery-file-left"


class EmbroideryConfig(BaseModel):
    """One embroidery machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[str, AfterValidator(check_stick_url)]
    """Its stick: `folder:///media/stick`."""
    must_be_mounted: bool = False
    """The folder is a mount point: while nothing is mounted there, the stick is missing."""
    accepts_formats: Annotated[frozenset[StitchFormat], Field(min_length=1)] = FORMATS
    """The formats that this machine reads."""
    hoop_width_mm: Annotated[float, Field(gt=0, le=10_000)] = 100.0
    hoop_height_mm: Annotated[float, Field(gt=0, le=10_000)] = 100.0
    stitches_per_minute: Annotated[float, Field(gt=0, le=10_000)] = 600.0
    """What it sews in earnest, ramps and trims included: well below what its label says."""
    colour_change_s: Annotated[float, Field(ge=0, le=3600)] = 60.0
    """How long a change of thread takes; on a machine with one needle that is a person's time."""
    ask_thread_colours: bool = False
    """Ask for each thread before the start."""


class Embroidery:
    """One embroidery machine. The needle is out of our reach: it is started and stopped by people, at the machine.

    `run` asks for the start under `start-design`, and for the end under `design-finished` as soon as the machine
    sews, so that it can be told at any time. An attempt whose start is answered with `cancel` ends with `MachineFault`
    `embroidery-not-started`; one that stopped early ends with `embroidery-stopped-early`, after a reading with the
    stitches that the operator counted.
    """

    Config: ClassVar[type[EmbroideryConfig]] = EmbroideryConfig
    accepts: ClassVar[frozenset[str]] = frozenset(FORMATS)
    kinds: ClassVar[frozenset[str]] = frozenset({"embroiderer"})
    adopts: ClassVar[bool] = True

    def __init__(self, config: EmbroideryConfig) -> None:
        self._config = config
        self._scale = time_scale(config.url)
        self._open: Stick | None = None
        self._delivered: str | None = None
        self._sews_until_s: float | None = None
        self._stopped_by_us = False

    async def __aenter__(self) -> Self:
        stick = open_stick(self._config.url, must_be_mounted=self._config.must_be_mounted)
        await stick.look()
        self._open = stick
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._open = None

    def check(self, program: Program) -> Sequence[Message]:
        """The design's size against the hoop, wherever its origin is, and whether the machine reads the format.

        A machine says nothing about a design that is too large: it does not show it.
        """
        found = []
        config, box = self._config, program.extents
        if program.format not in config.accepts_formats:
            known = ", ".join(sorted(config.accepts_formats))
            found.append(Message(code="embroidery-format-unread", params={"format": program.format, "known": known}))
        if box is None or program.length == 0:
            found.append(Message(code="embroidery-nothing-to-sew"))
        elif box.width_mm > config.hoop_width_mm or box.height_mm > config.hoop_height_mm:
            params = {
                "width_mm": round(box.width_mm, 1),
                "height_mm": round(box.height_mm, 1),
                "hoop_width_mm": config.hoop_width_mm,
                "hoop_height_mm": config.hoop_height_mm,
            }
            found.append(Message(code="embroidery-larger-than-hoop", params=params))
        return found

    def estimate_s(self, program: Program) -> float:
        """From stitches and changes of thread, at the configured pace."""
        return self._sewing_s(program, program.length)

    async def read(self) -> Reading:
        """Whether the stick is there; of the needle nothing is known.

        After a stop in mid-design the reason `embroidery-stop-at-machine` stays for as long as the design would last.
        """
        await self._stick.look()
        still_sews = self._stopped_by_us and self._sews_until_s is not None and self._now_s < self._sews_until_s
        return Reading(phase=Phase.IDLE, reasons=frozenset({STOP_AT_MACHINE} if still_sews else ()))

    async def run(self, attempt: Attempt) -> None:
        """Deliver, ask for the start, wait for the end.

        An attempt that is known to have started is neither delivered nor asked for again; its progress goes on from
        the last reading, since nobody knows what the machine did while we were away.
        """
        if problems := self.check(attempt.program):
            raise JobRejected(problems[0].code, **problems[0].params)
        self._delivered = _file_name(attempt)
        self._sews_until_s, self._stopped_by_us = None, False
        last = attempt.last
        if last is None or not (last.position or last.phase is Phase.RUNNING):
            await self._deliver(attempt, self._delivered)
            await self._start(attempt, self._delivered)
            last = Reading(phase=Phase.RUNNING)
        sewn = await self._sew(attempt, last.position)
        await self._end(attempt, sewn)

    async def pause(self) -> None:
        """Before the start the attempt simply waits. A needle that sews is out of our reach, and we say so:
        raises `MachineFault`.
        """
        if self._sews_until_s is not None:
            raise MachineFault("embroidery-pause-at-machine")

    async def resume(self) -> None:
        """Nothing to undo."""

    async def stop(self) -> None:
        """Take the design off the stick, so that nobody starts it by mistake. Idempotent.

        A needle that sews goes on: it is stopped at the machine, by a person. That is no failure of this call, which
        has done all that can be done; `read` says so as a reason.
        """
        self._stopped_by_us = True
        if self._delivered is not None:
            with suppress(MachineFault):  # a pulled stick cannot start the design either
                await self._stick.withdraw(self._delivered)

    async def _deliver(self, attempt: Attempt, name: str) -> None:
        data = await asyncio.to_thread(attempt.file.read_bytes)
        # Not yet machine time: the needle stands still.
        await self._meanwhile(attempt, Reading(phase=Phase.IDLE), self._stick.deliver(name, data))

    async def _start(self, attempt: Attempt, name: str) -> None:
        waiting = Reading(phase=Phase.WAITING)
        threads = attempt.program.needs.threads if self._config.ask_thread_colours else ()
        for number, thread in enumerate(threads, start=1):
            await self._meanwhile(attempt, replace(waiting, phase=Phase.PAUSED), attempt.gate())
            await self._meanwhile(attempt, waiting, attempt.ask(_thread_prompt(number, thread)))
        await self._meanwhile(attempt, replace(waiting, phase=Phase.PAUSED), attempt.gate())
        prompt = Prompt(
            key="start-design",
            message=Message(code="start-design", params={"ticket": attempt.ticket, "name": name}),
            choices=("started", "cancel"),
        )
        answer = await self._meanwhile(attempt, waiting, attempt.ask(prompt))
        if answer.choice != "started":
            raise MachineFault("embroidery-not-started", ticket=attempt.ticket)

    async def _sew(self, attempt: Attempt, position: int) -> int:
        """Estimate until the operator says how it ended; returns the stitches that were sewn."""
        program = attempt.program
        whole_s = self.estimate_s(program)
        sewn_s = self._sewing_s(program, position)
        began_s = self._now_s - sewn_s / self._scale
        self._sews_until_s = began_s + whole_s / self._scale
        finished = own(self._ask_for_the_end(attempt), f"end of {attempt.id}")
        try:
            while not finished.done():
                sewn_s = (self._now_s - began_s) * self._scale
                attempt.report(self._estimated(program, sewn_s, whole_s))
                await asyncio.wait([finished], timeout=REPORT_S)
            return finished.result()
        finally:
            await end(finished)

    async def _ask_for_the_end(self, attempt: Attempt) -> int:
        length = attempt.program.length
        message = Message(code="design-finished", params={"ticket": attempt.ticket, "stitches": length})
        for number in itertools.count(1):
            key = "design-finished" if number == 1 else f"design-finished-{number}"
            answer = await attempt.ask(Prompt(key=key, message=message, choices=("finished", "stitches=")))
            if answer.choice == "finished":
                return length
            if answer.number is not None and 0 <= answer.number <= length:
                return answer.number
            params = {"ticket": attempt.ticket, "said": answer.number, "stitches": length}
            message = Message(code="design-stitches-impossible", params=params)
        raise AssertionError("counting never ends")

    async def _end(self, attempt: Attempt, sewn: int) -> None:
        """The operator has spoken: settle on the word, and take the design off the stick."""
        program = attempt.program
        self._sews_until_s = None
        reading = Reading(
            phase=Phase.FINISHING,
            position=sewn,
            used=_used(program, sewn),
            method=Method.OPERATOR,
            remaining_s=0.0,
        )
        attempt.report(reading)
        assert self._delivered is not None
        try:
            await self._meanwhile(attempt, replace(reading, phase=Phase.IDLE), self._stick.withdraw(self._delivered))
        except MachineFault:
            attempt.report(replace(reading, phase=Phase.IDLE, reasons=frozenset({FILE_LEFT})))
        if sewn < program.length:
            raise MachineFault("embroidery-stopped-early", sewn=sewn, stitches=program.length)

    async def _meanwhile(self, attempt: Attempt, reading: Reading, waiting: Coroutine[Any, Any, T]) -> T:
        """Await `waiting`, and report `reading` for as long as that takes."""
        task = own(waiting, f"wait {attempt.id}")
        try:
            while not task.done():
                await asyncio.wait([task], timeout=REPORT_S)
                if not task.done():
                    attempt.report(replace(reading))  # a fresh one each time: that is how others hear that we live
            return task.result()
        finally:
            await end(task)

    def _estimated(self, program: Program, sewn_s: float, whole_s: float) -> Reading:
        # The last stitch is left for the operator to say.
        reached = bisect_right(range(program.length), sewn_s, key=lambda stitch: self._sewing_s(program, stitch)) - 1
        position = max(reached, 0)
        return Reading(
            phase=Phase.RUNNING,
            position=position,
            used=_used(program, position),
            method=Method.ESTIMATE,
            remaining_s=max(0.0, whole_s - sewn_s),
        )

    def _sewing_s(self, program: Program, position: int) -> float:
        """How long this machine takes to get to a stitch, in its own time."""
        changes = program.curve.at(position).get(Meter.COLOUR_CHANGES, 0.0)
        return position * 60 / self._config.stitches_per_minute + changes * self._config.colour_change_s

    @property
    def _stick(self) -> Stick:
        assert self._open is not None, "used outside of `async with`"
        return self._open

    @property
    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()


def _used(program: Program, position: int) -> dict[Meter, float]:
    changes = program.curve.at(position).get(Meter.COLOUR_CHANGES, 0.0)
    return {Meter.STITCHES: float(position), Meter.COLOUR_CHANGES: float(int(changes))}


def _thread_prompt(number: int, thread: Thread) -> Prompt:
    colour = " ".join(part for part in (thread.name, thread.colour) if part) or "?"
    message = Message(code="thread-colour", params={"number": number, "colour": colour})
    return Prompt(key=f"thread-{number}", message=message, choices=("loaded",))


def _file_name(attempt: Attempt) -> str:
    """The ticket and the format, in the eight and three letters that every machine reads: `K7.PES`.

    No name that a person gave a file leaves the house on a stick.
    """
    stem = "".join(letter for letter in attempt.ticket.upper() if letter.isascii() and letter.isalnum())[:8]
    return f"{stem or 'FABD'}.{attempt.program.format.upper()}"
