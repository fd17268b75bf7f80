"""Printers with Marlin, line by line: numbered, checksummed, acknowledged.

A program begins on a machine as it is after a reset: the modes and factors that an earlier one left are undone first,
or its moves and its metering would be wrong. The end is proven by `M400`: the machine answers it when all moves are
over. After it no heater stays on, whatever the program forgot; after every other end `stop()` turns them off. A pause
ends the moves under way and keeps the heat, with the head where it is. Temperatures come by `M155`, where the
firmware has it, never by asking in between; so what `M105` the program has is left out.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import ClassVar, Self

from fabd.drivers.contract import Attempt
from fabd.drivers.marlin_config import MarlinConfig
from fabd.drivers.marlin_lines import is_motion
from fabd.drivers.marlin_link import MarlinLink
from fabd.drivers.marlin_program import CHUNK_BYTES, Command, Cutter, prompt_of, refuse_unsendable
from fabd.drivers.marlin_voice import Voice
from fabd.drivers.printer_limits import objections
from fabd.drivers.wire import open_wire
from fabd.errors import LinkLost
from fabd.formats.gcode_state import MotionState
from fabd.model import Message, Meter, Phase, Program, Reading
from fabd.tasks import end, own

CONNECT_S = 15.0
"""How long a firmware may take to answer after the wire is open: boards with a boot screen take 5 s."""
GREET_S = 30.0
"""How long it may take before a program, after it last said that it is busy."""
STOP_S = 12.0
"""How long a stop may take: a machine that hears nothing in a heat-up is rather reset, by a new connection."""
REPORT_S = 0.5
FRESH = (b"G21", b"G90", b"M82", b"M200 D0", b"M220 S100", b"M221 S100", b"G92 E0")
"""Millimetres, absolute axes and extruder, no volumetric extrusion, speed and flow at 100 %, extruder at 0: Marlin 2.1
after a reset (marlinfw.org/docs/gcode), and what `MotionState` begins with."""


class Marlin:
    """The driver. One attempt at a time; `pause()` and `stop()` may come from another task while it runs."""

    Config: ClassVar[type[MarlinConfig]] = MarlinConfig
    accepts: ClassVar[frozenset[str]] = frozenset({"gcode"})
    kinds: ClassVar[frozenset[str]] = frozenset({"printer"})
    adopts: ClassVar[bool] = False

    def __init__(self, config: MarlinConfig) -> None:
        self._config = config
        self._link: MarlinLink | None = None
        self._released = asyncio.Event()
        self._released.set()
        self._pausing = asyncio.Lock()
        self._stopping = asyncio.Lock()
        self._phase = Phase.IDLE
        self._asking = False
        self._position = 0
        self._state: MotionState | None = None

    async def __aenter__(self) -> Self:
        """Connect; raises `LinkLost`, or `MachineFault` when the machine says at once that something is wrong."""
        url = self._config.url
        self._link = link = MarlinLink(await open_wire(url), url, self._config.silence_s)
        try:
            if url.startswith("serial:"):
                await asyncio.sleep(self._config.boot_s)
            try:
                await self._greet(link, link.turn, limit_s=CONNECT_S, patient=False)
            except LinkLost:
                link.check()
                if not link.was_busy:
                    raise
                # It lives, and cannot answer yet: connected well enough to be stopped.
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Let go of the wire; leaves the machine as it is."""
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    def check(self, program: Program) -> Sequence[Message]:
        """Why this machine cannot make `program`: its box, its temperatures, its tools."""
        return list(objections(program, self._config))

    def estimate_s(self, program: Program) -> float:
        """Machine time, in seconds, from the program's own curve."""
        return program.curve.total.get(Meter.MACHINE_S, 0.0)

    async def read(self) -> Reading:
        """What was last heard; raises what went wrong since: `LinkLost` or `MachineFault`."""
        self._connected().check()
        return self._reading()

    async def run(self, attempt: Attempt) -> None:
        """Stream `attempt.file`; returns when `M400` is answered.

        Raises `JobRejected` before the first line if one of them cannot be sent, `LinkLost`, or `MachineFault` with
        the machine's own words.
        """
        link = self._connected()
        self._position, self._state, self._phase = 0, MotionState(), Phase.PREPARING
        stream = own(self._stream(attempt, link, self._state), f"stream {attempt.id}")
        beside = [own(self._report(attempt), f"report {attempt.id}"), own(link.failure(), f"watch {attempt.id}")]
        try:
            done, _ = await asyncio.wait([stream, *beside], return_when=asyncio.FIRST_COMPLETED)
            for task in (stream, *beside):
                if task in done:
                    task.result()
        finally:
            for task in (stream, *beside):
                task.cancel()
            for task in (stream, *beside):
                await end(task)
            self._phase, self._asking = Phase.IDLE, False

    async def pause(self) -> None:
        """Hold the program at the next line and wait until the moves under way are over.

        A heat-up or another slow command goes on; the heat is kept.
        """
        link = self._connected()
        async with self._pausing:
            self._released.clear()
            try:
                if await link.settled():
                    await link.send(b"M400", link.turn)
            except BaseException:
                self._released.set()  # it was not paused, so nobody will resume it
                raise

    async def resume(self) -> None:
        """Let the program go on."""
        async with self._pausing:
            self._connected().check()
            self._released.set()

    async def stop(self) -> None:
        """End the moves, turn heaters and fan off, and wait until the machine says that no heater has a target.

        `M108` ends a heat-up and `M410` the moves at once where the firmware has an emergency parser; elsewhere they
        wait for their turn. Raises `LinkLost` when it could not be proven: the stop is owed.
        """
        link = self._connected()
        async with self._stopping:
            link.interrupt()
            self._released.set()
            for heaters in self._heaters_off(link.voice):
                await link.fence(
                    *heaters,
                    b"M105",
                    turn=link.turn,
                    limit_s=STOP_S,
                    ahead=b"M108\nM410\n",
                    proven=lambda: all(heater.target_c == 0 for heater in link.voice.temperatures),
                )

    def _heaters_off(self, voice: Voice) -> Iterator[tuple[bytes, ...]]:
        """Commands in portions that fit together into the receive buffer of the smallest boards, 127 bytes."""
        chamber = [b"M141 S0"] if any(heater.name == "chamber" for heater in voice.temperatures) else []
        yield b"M104 S0", b"M140 S0", *chamber, b"M107"
        tools = [b"M104 T%d S0" % tool for tool in range(self._config.tools)] if self._config.tools > 1 else []
        for first in range(0, len(tools), 3):
            yield tuple(tools[first : first + 3])

    async def _greet(self, link: MarlinLink, turn: int, *, limit_s: float, patient: bool) -> None:
        """Begin with new numbers, learn what the firmware can, and have it report its temperatures."""
        await link.fence(b"M115", b"M105", turn=turn, limit_s=limit_s, patient=patient)
        if "AUTOREPORT_TEMP" in link.voice.capabilities:
            await link.send(b"M155 S1", turn)
            link.reports = True

    async def _stream(self, attempt: Attempt, link: MarlinLink, state: MotionState) -> None:
        turn = link.turn
        await asyncio.to_thread(refuse_unsendable, attempt.file)
        await self._greet(link, turn, limit_s=GREET_S, patient=True)
        for fresh in (*FRESH, b"T0") if self._config.tools > 1 else FRESH:
            await link.send(fresh, turn)
        cutter = Cutter()
        with attempt.file.open("rb") as source:
            while chunk := await asyncio.to_thread(source.read, CHUNK_BYTES):
                for command in cutter.cut(chunk):
                    await self._step(attempt, link, turn, command)
                    state.feed(command.text, command.line)
        for command in cutter.finish():
            await self._step(attempt, link, turn, command)
            state.feed(command.text, command.line)
        await self._finish(link, turn)
        self._position = attempt.program.length
        attempt.report(self._reading())

    async def _finish(self, link: MarlinLink, turn: int) -> None:
        """Wait until all moves are over, then see to it that no heater stays on."""
        self._phase = Phase.FINISHING
        await link.send(b"M400", turn)
        await link.send(b"M105", turn)  # answered by temperatures, so that no stray `ok` can pass for the end
        if any(heater.target_c > 0 for heater in link.voice.temperatures):
            for portion in self._heaters_off(link.voice):
                for command in portion:
                    await link.send(command, turn)

    async def _step(self, attempt: Attempt, link: MarlinLink, turn: int, command: Command) -> None:
        await attempt.gate()
        while not self._released.is_set() or link.voice.paused:
            await self._released.wait()
            await link.resumed_at_machine()
        prompt = prompt_of(command) if command.text[:1] == b"M" else None
        if prompt is not None:
            await link.send(b"M400", turn)
            self._asking = True
            await attempt.ask(prompt)
            self._asking = False
        elif command.text != b"M105":
            await link.send(command.text, turn)
        self._position = command.end
        if self._phase is Phase.PREPARING and is_motion(command.text):
            self._phase = Phase.RUNNING

    async def _report(self, attempt: Attempt) -> None:
        while True:
            attempt.report(self._reading())
            await asyncio.sleep(REPORT_S)

    def _reading(self) -> Reading:
        voice = self._connected().voice
        phase, reasons = self._phase, frozenset[str]()
        if phase is not Phase.IDLE:
            if self._asking or voice.waits_for_user:
                phase = Phase.WAITING
            elif voice.paused or not self._released.is_set():
                phase, reasons = Phase.PAUSED, frozenset({"paused"})
        return Reading(
            phase=phase,
            position=self._position,
            used={} if self._state is None else {Meter.FILAMENT_MM: self._state.filament_mm},
            temperatures=voice.temperatures,
            reasons=reasons,
        )

    def _connected(self) -> MarlinLink:
        if self._link is None:
            raise LinkLost("wire-closed", wire=self._config.url)
        return self._link
