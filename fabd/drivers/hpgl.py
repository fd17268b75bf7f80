"""Cutters and pen plotters that speak HP-GL.

What proves the end: the machine's buffer is empty, its own position (`OA`, answered in order behind the last command)
is the last point of the drawing with the tool up, it heard no damaged byte (`ESC.E`) and no command that it did not
understand (`OE`). A machine that answers nothing is paced by its configured speeds, and a person confirms the end.
"""

import asyncio
import math
from collections.abc import Coroutine, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, ClassVar, Self, TypeVar

from fabd.drivers.contract import Attempt
from fabd.drivers.hpgl_config import HpglConfig
from fabd.drivers.hpgl_link import (
    BUFFER_EMPTY,
    COMMAND_ERROR,
    FREE_BYTES,
    LEVER_UP,
    OVERFLOW,
    PANEL_PAUSE,
    POSITION,
    STATUS,
    TRANSMISSION_ERROR,
    HpglLink,
    Position,
)
from fabd.drivers.hpgl_plan import UNITS_PER_MM, LookAhead, Step, plan
from fabd.drivers.wire import baud_of, open_wire, time_scale
from fabd.errors import JobRejected, MachineFault
from fabd.model import Message, Meter, Method, Phase, Program, Prompt, Reading, Used
from fabd.tasks import end, own

T = TypeVar("T")

POLL_S = 0.2
SHORTEST_POLL_S = 0.02
PEN_UP_S = 15.0
"""How long a stop waits for the motion under way to end, and for the machine to say that its tool is up."""
SMALLEST_BUFFER_BYTES = 64
COMMANDS_PER_TURN = 500


class Hpgl:
    """One cutter. `used` is summed from the commands that the machine acknowledged, hence `Method.ODOMETER`;
    where it acknowledges nothing it is `ESTIMATE`, and `OPERATOR` once a person has confirmed the end.

    Coordinates: X is the feed axis, Y goes across the roll; `vinyl_mm` is the furthest X that was reached.
    """

    Config: ClassVar[type[HpglConfig]] = HpglConfig
    accepts: ClassVar[frozenset[str]] = frozenset({"hpgl"})
    kinds: ClassVar[frozenset[str]] = frozenset({"cutter", "plotter"})
    adopts: ClassVar[bool] = False

    def __init__(self, config: HpglConfig) -> None:
        self._config = config
        self._answers = config.readback == "hp"
        self._scale = time_scale(config.url)
        baud = baud_of(config.url)
        self._byte_s = 10 / baud if baud else 0.0  # 8N1: ten bits a byte
        self._open: HpglLink | None = None
        self._ahead = LookAhead(config.buffer_bytes)
        self._status = BUFFER_EMPTY
        self._stopped = False
        self._phase = Phase.IDLE
        self._done = Step(data=b"")
        self._estimate_s = 0.0
        self._method = Method.ODOMETER

    async def __aenter__(self) -> Self:
        self._open = HpglLink(self._config.url, await open_wire(self._config.url))
        try:
            if self._answers:
                await self._link.ask(FREE_BYTES)
        except BaseException:
            await self._open.close()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._link.close()

    @property
    def _link(self) -> HpglLink:
        assert self._open is not None, "used outside of `async with`"
        return self._open

    def check(self, program: Program) -> Sequence[Message]:
        """Bounds: nothing is clamped, shifted or scaled to fit."""
        box, config = program.extents, self._config
        if box is None:
            return (Message(code="cutter-nothing-to-cut"),)
        found = []
        if min(box.x_min_mm, box.y_min_mm) < 0:
            found.append(Message(code="cutter-negative", params={"x_mm": box.x_min_mm, "y_mm": box.y_min_mm}))
        if box.y_max_mm > config.width_mm:
            params = {"needed_mm": box.y_max_mm, "width_mm": config.width_mm}
            found.append(Message(code="cutter-too-wide", params=params))
        if box.x_max_mm > config.length_mm:
            params = {"needed_mm": box.x_max_mm, "length_mm": config.length_mm}
            found.append(Message(code="cutter-too-long", params=params))
        return found

    def estimate_s(self, program: Program) -> float:
        """From the lengths and the configured speeds; lifts and acceleration are not counted."""
        return self._motion_s(program.curve.total)

    async def read(self) -> Reading:
        """The status byte. After an unhappy end, `position` and `used` are what had been proven until then."""
        if self._answers:
            (self._status,) = await self._link.ask(STATUS)
        else:
            self._link.check()
        return self._reading()

    async def run(self, attempt: Attempt) -> None:
        if problems := self.check(attempt.program):
            raise JobRejected(problems[0].code, **problems[0].params)
        self._stopped = False
        self._done = Step(data=b"")
        self._estimate_s = self.estimate_s(attempt.program)
        self._method = Method.ODOMETER if self._answers else Method.ESTIMATE
        self._phase = Phase.PREPARING
        try:
            await self._examine(attempt)
            await self._begin(attempt)
            last = await self._stream(attempt)
            await self._finish(attempt, last)
            self._done = Step(data=b"")  # settled: an idle machine has used nothing
        finally:
            self._phase = Phase.IDLE

    async def pause(self) -> None:
        """Nothing to send: `run` waits at the next point where the tool is up.

        The machine holds no more than the look-ahead. A long stroke is cut to its end first; only `stop` is faster.
        """

    async def resume(self) -> None:
        """Nothing to send: `run` goes on."""

    async def stop(self) -> None:
        """Drop what the machine holds, lift the tool, and hear from the machine that it is up.

        The motion under way is not cut short: a motion is the least that HP-GL can stop at. A machine that answers
        nothing is only told to lift; it first makes what it holds, no more than the look-ahead. Raises `LinkLost`, or
        `MachineFault` where the machine answers but does not say that its tool is up.
        """
        self._stopped = True
        self._ahead.forget()
        if not self._answers:
            await self._link.send(b";" + self._config.ended(b"PU"))
            return
        await self._link.abort()
        await self._link.send(self._config.ended(b"PU"))
        try:
            async with asyncio.timeout(PEN_UP_S):
                position = await self._link.position(self._config.ended(POSITION))
        except TimeoutError as error:
            raise MachineFault("cutter-pen-unknown", limit_s=PEN_UP_S) from error
        if position.pen_down:
            raise MachineFault("cutter-pen-down")

    async def _examine(self, attempt: Attempt) -> None:
        """Before the first byte: every command is plain, and inside of the media. Others get their turn meanwhile."""
        for number, _ in enumerate(plan(attempt.file, self._config)):
            if number % COMMANDS_PER_TURN == 0:
                attempt.report(self._reading())
                await asyncio.sleep(0)

    async def _begin(self, attempt: Attempt) -> None:
        """The machine is at rest and answers; its free bytes at rest are its buffer."""
        self._ahead = LookAhead(self._config.buffer_bytes)
        if self._answers:
            self._ahead = LookAhead(await self._free_at_rest(attempt))
        await self._send(Step(data=self._config.dialect(self._config.initialise)))
        if self._answers:  # the end is proven by this question: better to find out now that nobody answers it
            await self._position(attempt)

    async def _free_at_rest(self, attempt: Attempt) -> int:
        """The size of the machine's buffer, once nobody holds the machine at its panel."""
        # An error from before is cleared by asking, and is of no interest any more.
        free_bytes, self._status, _ = await self._link.ask(FREE_BYTES, STATUS, TRANSMISSION_ERROR)
        while self._held:
            attempt.report(self._reading())
            await asyncio.sleep(POLL_S)
            free_bytes, self._status = await self._link.ask(FREE_BYTES, STATUS)
        if not self._status & BUFFER_EMPTY:
            raise MachineFault("cutter-busy")
        if free_bytes < SMALLEST_BUFFER_BYTES:
            raise MachineFault("cutter-buffer-too-small", found=free_bytes, needed=SMALLEST_BUFFER_BYTES)
        return free_bytes

    async def _stream(self, attempt: Attempt) -> Step:
        """Send the file within the look-ahead; returns the last step."""
        last = Step(data=b"")
        with closing(plan(attempt.file, self._config)) as steps:
            for step in steps:
                if not last.pen_down:
                    self._phase = Phase.PAUSED
                    await self._meanwhile(attempt, attempt.gate())
                    self._phase = Phase.RUNNING
                await self._send_when_free(attempt, step)
                last = step
        return last

    async def _finish(self, attempt: Attempt, last: Step) -> None:
        """Lift the tool, wait for the proof of the end, and only then send the epilogue."""
        lift_s = self._config.lift_s if last.pen_down else 0.0
        lifted = replace(last, data=self._config.ended(b"PU"), pen_down=False, motion_s=lift_s)
        await self._send_when_free(attempt, lifted)
        self._phase = Phase.FINISHING
        if self._answers:
            await self._prove_end(attempt, Position(x=lifted.x, y=lifted.y, pen_down=False))
        else:
            await self._confirm_end(attempt)
        self._ahead.forget()
        self._done = lifted
        attempt.report(self._reading())
        await self._send(Step(data=self._config.dialect(self._config.epilogue)))

    async def _prove_end(self, attempt: Attempt, expected: Position) -> None:
        """The buffer is empty, the tool stands lifted where the drawing ends, and no command was misunderstood."""
        await self._poll(attempt)
        while not self._status & BUFFER_EMPTY:
            await asyncio.sleep(self._poll_s)
            await self._poll(attempt)
        # Buffer empty is "ready or still processing", and some machines tell their target as their position.
        at_rest_s = self._now_s + self._ahead.motion_s / self._scale
        patience_s = self._longest_motion_s
        while (found := await self._position(attempt)) != expected or self._now_s < at_rest_s:
            if patience_s < 0 and found != expected:
                raise MachineFault(
                    "cutter-position-differs",
                    x_mm=found.x / UNITS_PER_MM,
                    y_mm=found.y / UNITS_PER_MM,
                    expected_x_mm=expected.x / UNITS_PER_MM,
                    expected_y_mm=expected.y / UNITS_PER_MM,
                )
            await asyncio.sleep(self._poll_s)
            await self._poll(attempt)
            patience_s -= 0 if self._held else self._poll_s
        (error,) = await self._link.ask(self._config.ended(COMMAND_ERROR))
        if error:
            raise MachineFault("cutter-command-misunderstood", error=error)

    async def _confirm_end(self, attempt: Attempt) -> None:
        """By the model the machine is done; a person looks."""
        while len(self._ahead):
            await asyncio.sleep(self._poll_s)
            await self._poll(attempt)
        self._phase = Phase.WAITING
        prompt = Prompt(
            key="cut-finished",
            message=Message(code="cut-finished", params={"ticket": attempt.ticket}),
            choices=("finished", "stopped-early"),
        )
        answer = await self._meanwhile(attempt, attempt.ask(prompt))
        if answer.choice != "finished":
            raise MachineFault("cutter-stopped-early")
        self._method = Method.OPERATOR

    async def _send_when_free(self, attempt: Attempt, step: Step) -> None:
        while not self._ahead.has_room(step):
            await asyncio.sleep(self._poll_s)
            await self._poll(attempt)
        await self._send(step)

    async def _send(self, step: Step) -> None:
        if self._stopped:
            raise MachineFault("cutter-stopped")
        takes_s = max(step.motion_s / self._scale, len(step.data) * self._byte_s)
        self._ahead.add(step, self._now_s, takes_s)  # first: a cancelled write may have gone through
        await self._link.send(step.data)

    async def _poll(self, attempt: Attempt) -> None:
        """Hear how far the machine is, or take it from the model, and report. Raises on whatever the machine admits."""
        if self._answers:
            free_bytes, self._status, error = await self._link.ask(FREE_BYTES, STATUS, TRANSMISSION_ERROR)
            if error:
                raise MachineFault("cutter-overflow" if error == OVERFLOW else "cutter-damaged-bytes", error=error)
            proven = self._ahead.acknowledged(free_bytes)
        else:
            self._link.check()
            proven = self._ahead.passed(self._now_s)
        self._done = proven or self._done
        attempt.report(self._reading())

    async def _position(self, attempt: Attempt) -> Position:
        question = self._link.position(self._config.ended(POSITION))
        return await self._meanwhile(attempt, question, limit_s=self._longest_motion_s)

    async def _meanwhile(self, attempt: Attempt, waiting: Coroutine[Any, Any, T], limit_s: float = math.inf) -> T:
        """Await `waiting`, and go on polling. Time in which somebody holds the machine at its panel has no limit."""
        task = own(waiting, f"wait {self._config.url}")
        try:
            while True:
                await asyncio.wait([task], timeout=POLL_S)
                if task.done():
                    return task.result()
                await self._poll(attempt)
                limit_s -= 0 if self._held else POLL_S
                if limit_s < 0:
                    raise MachineFault("cutter-position-unanswered", limit_s=round(self._longest_motion_s))
        finally:
            await end(task)

    def _reading(self) -> Reading:
        phase, reasons = self._phase, frozenset[str]()
        if self._held:
            lever_up = self._status & LEVER_UP
            reasons = frozenset({"cover-open" if lever_up else "paused"})
            if phase is not Phase.IDLE:
                phase = Phase.WAITING if lever_up else Phase.PAUSED
        done = self._done
        used = {Meter.CUT_MM: done.cut_mm, Meter.TRAVEL_MM: done.travel_mm, Meter.VINYL_MM: done.vinyl_mm}
        return Reading(
            phase=phase,
            position=done.end,
            used=used,
            method=self._method,
            reasons=reasons,
            remaining_s=None if phase is Phase.IDLE else max(0.0, self._estimate_s - self._motion_s(used)),
        )

    def _motion_s(self, used: Used) -> float:
        cut_mm, travel_mm = used.get(Meter.CUT_MM, 0.0), used.get(Meter.TRAVEL_MM, 0.0)
        return cut_mm / self._config.cut_mm_s + travel_mm / self._config.travel_mm_s

    @property
    def _held(self) -> bool:
        return bool(self._status & (PANEL_PAUSE | LEVER_UP))

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
