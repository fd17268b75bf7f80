"""Cutters and pen plotters that speak HP-GL.

What proves the end: the machine's buffer is empty, its own position (`OA`, answered in order behind the last command)
is the last point of the drawing with the tool up, it heard no damaged byte (`ESC.E`) and no command that it did not
understand (`OE`). A machine that answers nothing is paced by its configured speeds, and a person confirms the end.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import ClassVar, Self

from fabd.drivers.contract import Attempt
from fabd.drivers.hpgl_config import HpglConfig
from fabd.drivers.hpgl_link import BUFFER_EMPTY, FREE_BYTES, POSITION, STATUS, HpglLink, held
from fabd.drivers.hpgl_run import HpglRun, motion_s
from fabd.drivers.wire import open_wire
from fabd.errors import JobRejected, MachineFault
from fabd.model import Message, Phase, Program, Reading

PEN_UP_S = 12.0
"""How long a stop waits for the motion under way to end, and for the machine to say that its tool is up."""
PAUSE_S = 10.0
"""How long a pause waits for the end of the stroke under way."""


class Hpgl:
    """One cutter. Coordinates: X is the feed axis, Y goes across the roll; `vinyl_mm` is the furthest X reached.

    `used` is summed from the commands that the machine acknowledged, hence `Method.ODOMETER`; where it acknowledges
    nothing it is `ESTIMATE`, and `OPERATOR` once a person has confirmed the end under `cut-finished`.
    """

    Config: ClassVar[type[HpglConfig]] = HpglConfig
    accepts: ClassVar[frozenset[str]] = frozenset({"hpgl"})
    kinds: ClassVar[frozenset[str]] = frozenset({"cutter", "plotter"})
    adopts: ClassVar[bool] = False

    def __init__(self, config: HpglConfig) -> None:
        self._config = config
        self._open: HpglLink | None = None
        self._run: HpglRun | None = None

    async def __aenter__(self) -> Self:
        self._open = HpglLink(self._config.url, await open_wire(self._config.url))
        try:
            if self._config.answers:
                await self._link.ask(FREE_BYTES)
        except BaseException:
            await self._open.close()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._link.close()

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
        return motion_s(program.curve.total, self._config)

    async def read(self) -> Reading:
        """The machine's status. After an unhappy end, `position` and `used` are what had been proven until then."""
        status = BUFFER_EMPTY
        if self._config.answers:
            (status,) = await self._link.ask(STATUS)
        self._link.check()
        if self._run is not None:
            return self._run.reading(status)
        return Reading(phase=Phase.IDLE, reasons=held(status))

    async def run(self, attempt: Attempt) -> None:
        if problems := self.check(attempt.program):
            raise JobRejected(problems[0].code, **problems[0].params)
        self._run = HpglRun(self._config, self._link, attempt)
        await self._run.make()
        self._run = None

    async def pause(self) -> None:
        """Wait until the tool is up and the machine at rest: `run` holds before the next stroke.

        A stroke that takes longer than `PAUSE_S` is cut to its end after this has returned; only `stop` is faster.
        """
        if self._run is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(PAUSE_S):
                    await self._run.resting.wait()

    async def resume(self) -> None:
        """Nothing to send: `run` goes on."""

    async def stop(self) -> None:
        """Drop what the machine holds, lift the tool, and hear from the machine that it is up.

        The motion under way is not cut short: a motion is the least that HP-GL can stop at. A machine that answers
        nothing is only told to lift; it first makes what it holds, no more than the look-ahead. Raises `LinkLost`, or
        `MachineFault` where the machine answers but does not say that its tool is up.
        """
        if self._run is not None:
            self._run.halt()
        if not self._config.answers:
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

    @property
    def _link(self) -> HpglLink:
        assert self._open is not None, "used outside of `async with`"
        return self._open
