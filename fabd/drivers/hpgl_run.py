"""One attempt on a cutter: sends the file within a bounded look-ahead, and proves its end."""

import asyncio
import math
from collections.abc import Coroutine
from contextlib import closing
from dataclasses import replace
from typing import Any, TypeVar

from fabd.drivers.contract import Attempt
from fabd.drivers.hpgl_config import HpglConfig
from fabd.drivers.hpgl_link import (
    BUFFER_EMPTY,
    COMMAND_ERROR,
    FREE_BYTES,
    OVERFLOW,
    POSITION,
    STATUS,
    TRANSMISSION_ERROR,
    HpglLink,
    Position,
    held,
)
from fabd.drivers.hpgl_plan import UNITS_PER_MM, LookAhead, Step, plan
from fabd.drivers.wire import baud_of, time_scale
from fabd.errors import MachineFault
from fabd.model import Message, Meter, Method, Phase, Prompt, Reading, Used
from fabd.tasks import end, own

T = TypeVar("T")

POLL_S = 0.2
SHORTEST_POLL_S = 0.02
SMALLEST_BUFFER_BYTES = 64
COMMANDS_PER_TURN = 500
BITS_PER_BYTE = 10  # with start and stop bit


class HpglRun:
    """One attempt. `resting` is set while the tool is up, the machine at rest, and the attempt waits at its gate;
    and when it is over.
    """

    def __init__(self, config: HpglConfig, link: HpglLink, attempt: Attempt) -> None:
        self.resting = asyncio.Event()
        self._config = config
        self._link = link
        self._attempt = attempt
        self._scale = time_scale(config.url)
        baud = baud_of(config.url)
        self._byte_s = BITS_PER_BYTE / baud if baud else 0.0
        self._ahead = LookAhead(config.buffer_bytes)
        self._status = BUFFER_EMPTY
        self._halted = False
        self._phase = Phase.PREPARING
        self._method = Method.ODOMETER if config.answers else Method.ESTIMATE
        self._done = Step(data=b"")

    async def make(self) -> None:
        """Returns when the end is proven."""
        try:
            await self._examine()
            await self._begin()
            last = await self._stream()
            await self._finish(last)
        finally:
            self._phase = Phase.IDLE
            self.resting.set()

    def halt(self) -> None:
        """The machine throws away what it holds: send nothing more, and count nothing more."""
        self._halted = True
        self._ahead.forget()

    def reading(self, status: int) -> Reading:
        """What is proven until now, beside what the machine's status byte says."""
        phase, reasons = self._phase, held(status)
        if reasons and phase is not Phase.IDLE:
            phase = Phase.WAITING if "cover-open" in reasons else Phase.PAUSED
        done = self._done
        used = {Meter.CUT_MM: done.cut_mm, Meter.TRAVEL_MM: done.travel_mm, Meter.VINYL_MM: done.vinyl_mm}
        whole_s = motion_s(self._attempt.program.curve.total, self._config)
        return Reading(
            phase=phase,
            position=done.end,
            used=used,
            method=self._method,
            reasons=reasons,
            remaining_s=None if phase is Phase.IDLE else max(0.0, whole_s - motion_s(used, self._config)),
        )

    # --- the way through the file

    async def _examine(self) -> None:
        """Before the first byte: every command is plain, and inside of the media. Others get their turn meanwhile."""
        for number, _ in enumerate(plan(self._attempt.file, self._config)):
            if number % COMMANDS_PER_TURN == 0:
                self._report()
                await asyncio.sleep(0)

    async def _begin(self) -> None:
        """The machine is at rest and answers; its free bytes at rest are its buffer."""
        if self._config.answers:
            self._ahead = LookAhead(await self._free_at_rest())
        await self._send(Step(data=self._config.encoded(self._config.initialise)))
        if self._config.answers:  # the end is proven by this question: better to find out now that nobody answers it
            await self._position()

    async def _free_at_rest(self) -> int:
        """The size of the machine's buffer, once nobody holds the machine at its panel."""
        # An error from before is cleared by asking, and is of no interest any more.
        free_bytes, self._status, _ = await self._link.ask(FREE_BYTES, STATUS, TRANSMISSION_ERROR)
        while held(self._status):
            self._report()
            await asyncio.sleep(POLL_S)
            free_bytes, self._status = await self._link.ask(FREE_BYTES, STATUS)
        if not self._status & BUFFER_EMPTY:
            raise MachineFault("cutter-busy")
        if free_bytes < SMALLEST_BUFFER_BYTES:
            raise MachineFault("cutter-buffer-too-small", found=free_bytes, needed=SMALLEST_BUFFER_BYTES)
        return free_bytes

    async def _stream(self) -> Step:
        """Send the file; returns the last step."""
        self._phase = Phase.RUNNING
        last = Step(data=b"")
        with closing(plan(self._attempt.file, self._config)) as steps:
            for step in steps:
                if step.pen_down and not last.pen_down:
                    await self._gate(last)
                await self._send_when_free(step)
                last = step
        return last

    async def _gate(self, last: Step) -> None:
        """Before a stroke: pass, or come to rest and wait while the attempt is paused."""
        gate = own(self._attempt.gate(), f"gate of {self._attempt.id}")
        try:
            await asyncio.wait([gate], timeout=SHORTEST_POLL_S)
            if not gate.done():
                await self._rest(last)
                self._phase = Phase.PAUSED
                self.resting.set()
            while not gate.done():
                await self._poll()
                await asyncio.wait([gate], timeout=POLL_S)
        finally:
            self.resting.clear()
            self._phase = Phase.RUNNING
            await end(gate)

    async def _finish(self, last: Step) -> None:
        """Lift the tool, wait for the proof of the end, and only then send the epilogue."""
        lift_s = self._config.lift_s if last.pen_down else 0.0
        lifted = replace(last, data=self._config.ended(b"PU"), pen_down=False, motion_s=lift_s)
        await self._send_when_free(lifted)
        self._phase = Phase.FINISHING
        await self._rest(lifted)
        if self._config.answers:
            (error,) = await self._link.ask(self._config.ended(COMMAND_ERROR))
            if error:
                raise MachineFault("cutter-command-misunderstood", error=error)
        else:
            await self._confirm_end()
        self._report()
        await self._send(Step(data=self._config.encoded(self._config.epilogue)))

    async def _confirm_end(self) -> None:
        """By the model the machine is done; a person looks."""
        self._phase = Phase.WAITING
        prompt = Prompt(
            key="cut-finished",
            message=Message(code="cut-finished", params={"ticket": self._attempt.ticket}),
            choices=("finished", "stopped-early"),
        )
        answer = await self._meanwhile(self._attempt.ask(prompt))
        if answer.choice != "finished":
            raise MachineFault("cutter-stopped-early")
        self._method = Method.OPERATOR

    # --- how far the machine is

    async def _rest(self, last: Step) -> None:
        """All that was sent is made, and the tool stands where `last` leads; by the model, if nobody answers."""
        await self._poll()
        while len(self._ahead) if not self._config.answers else not self._status & BUFFER_EMPTY:
            await asyncio.sleep(self._poll_s)
            await self._poll()
        if self._config.answers:
            await self._arrive(Position(x=last.x, y=last.y, pen_down=last.pen_down))
        self._ahead.forget()
        self._done = last

    async def _arrive(self, expected: Position) -> None:
        """Ask until the tool is at rest at `expected`.

        "Buffer empty" is "ready or still processing", and some machines tell where they are bound for, not where they
        are: the motion that was under way gets its time in any case.
        """
        at_rest_s = self._now_s + self._ahead.motion_s / self._scale
        patience_s = self._longest_motion_s
        while (found := await self._position()) != expected or self._now_s < at_rest_s:
            if found != expected and patience_s < 0:
                raise MachineFault(
                    "cutter-position-differs",
                    x_mm=found.x / UNITS_PER_MM,
                    y_mm=found.y / UNITS_PER_MM,
                    expected_x_mm=expected.x / UNITS_PER_MM,
                    expected_y_mm=expected.y / UNITS_PER_MM,
                )
            await asyncio.sleep(self._poll_s)
            await self._poll()
            patience_s -= 0 if held(self._status) else self._poll_s

    async def _position(self) -> Position:
        question = self._link.position(self._config.ended(POSITION))
        return await self._meanwhile(question, limit_s=self._longest_motion_s)

    async def _meanwhile(self, waiting: Coroutine[Any, Any, T], limit_s: float = math.inf) -> T:
        """Await `waiting`, and go on polling. Time in which somebody holds the machine at its panel has no limit."""
        task = own(waiting, f"wait of {self._attempt.id}")
        try:
            while True:
                await asyncio.wait([task], timeout=POLL_S)
                if task.done():
                    return task.result()
                await self._poll()
                limit_s -= 0 if held(self._status) else POLL_S
                if limit_s < 0:
                    raise MachineFault("cutter-position-unanswered", limit_s=round(self._longest_motion_s))
        finally:
            await end(task)

    async def _poll(self) -> None:
        """Hear how far the machine is, or take it from the model, and report. Raises on whatever the machine admits."""
        if self._halted:
            raise MachineFault("cutter-stopped")
        if self._config.answers:
            free_bytes, self._status, error = await self._link.ask(FREE_BYTES, STATUS, TRANSMISSION_ERROR)
            if error:
                raise MachineFault("cutter-overflow" if error == OVERFLOW else "cutter-damaged-bytes", error=error)
            proven = self._ahead.acknowledged(free_bytes)
        else:
            self._link.check()
            proven = self._ahead.passed(self._now_s)
        self._done = proven or self._done
        self._report()

    def _report(self) -> None:
        self._attempt.report(self.reading(self._status))

    # --- bytes

    async def _send_when_free(self, step: Step) -> None:
        while not self._ahead.has_room(step):
            await asyncio.sleep(self._poll_s)
            await self._poll()
        await self._send(step)

    async def _send(self, step: Step) -> None:
        if self._halted:
            raise MachineFault("cutter-stopped")
        takes_s = max(step.motion_s / self._scale, len(step.data) * self._byte_s)
        self._ahead.add(step, self._now_s, takes_s)  # first: a cancelled write may have gone through
        await self._link.send(step.data)

    @property
    def _poll_s(self) -> float:
        """Often enough that the machine never runs dry, and no busier than that."""
        return min(POLL_S, max(SHORTEST_POLL_S, self._ahead.motion_s / self._scale / 2))

    @property
    def _longest_motion_s(self) -> float:
        """More than the longest motion on the media takes."""
        diagonal_mm = math.hypot(self._config.length_mm, self._config.width_mm)
        return 10 + 2 * diagonal_mm / min(self._config.cut_mm_s, self._config.travel_mm_s)

    @property
    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()


def motion_s(used: Used, config: HpglConfig) -> float:
    """How long the machine takes for these lengths, by its configured speeds."""
    cut_mm, travel_mm = used.get(Meter.CUT_MM, 0.0), used.get(Meter.TRAVEL_MM, 0.0)
    return cut_mm / config.cut_mm_s + travel_mm / config.travel_mm_s
