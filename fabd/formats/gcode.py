"""G-code for printers that speak Marlin: filament, time and extents from the moves themselves."""

import re
from collections.abc import Mapping
from hashlib import sha256
from io import BytesIO
from typing import ClassVar

from fabd.errors import JobRejected
from fabd.formats.contract import HEAD_BYTES, Analysis
from fabd.formats.gcode_claims import Claims
from fabd.formats.gcode_rules import check_command, check_move
from fabd.formats.gcode_state import MotionState
from fabd.formats.gcode_words import code_of, command_of
from fabd.model import Message, Meter, Needs, Param, PositionUnit, Program, UsageCurve

MAX_LINE_BYTES = 65_536
"""Slicers write their whole configuration into comments; no command is nearly as long as this."""

_CURVE_POINTS = 2_000
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\r*\n|\r*\Z)")
_BOM = b"\xef\xbb\xbf"
_MOVES = (b"G1 ", b"G0 ", b"G2 ", b"G3 ")
_MOVE_CODES = (b"G0", b"G1", b"G2", b"G3")
_FILAMENT_TOLERANCE, _TIME_TOLERANCE = 0.05, 0.30


class Gcode:
    """The format `gcode`. Positions are byte offsets of line ends in the file.

    The time is that of the moves: heating and homing come on top. All of the file is read, also what slicers leave
    out of their own figures, such as priming.
    """

    names: ClassVar[frozenset[str]] = frozenset({"gcode"})
    suffixes: ClassVar[frozenset[str]] = frozenset({".gcode", ".gco", ".g"})

    def recognises(self, head: bytes, name: str) -> bool:
        """Most of the first commands are G-code; or there are only comments yet, under the right name."""
        lines = head.splitlines()
        if len(head) == HEAD_BYTES:
            lines.pop()  # it may be cut off
        commands = [command for command in map(_command_anyhow, lines) if command]
        known = sum(1 for command in commands if code_of(command))
        if not commands:
            return name.lower().endswith(tuple(self.suffixes))
        return 2 * known > len(commands)

    def analyse(self, data: bytes, name: str) -> Analysis:
        """Raises `JobRejected` naming the line."""
        del name
        binary = _BINARY.search(data)
        if binary is not None:
            raise JobRejected("gcode-binary", line=data.count(b"\n", 0, binary.start()) + 1)
        reading = _Reading(len(data))
        reading.read(data)
        digest = sha256(data).hexdigest()
        state, claims = reading.state, reading.claims.found
        program = Program(
            format="gcode",
            sha256=digest,
            runs_sha256=digest,
            size_bytes=len(data),
            unit=PositionUnit.BYTES,
            length=len(data),
            extents=state.extents,
            curve=reading.curve,
            needs=Needs(tools=state.extrusion.tools, nozzle_c=state.nozzle_c, bed_c=state.bed_c),
            claims=claims,
            remarks=_remarks(state, claims),
        )
        return Analysis(program=program)


def _command_anyhow(raw: bytes) -> bytes:
    """The command of a line that may be damaged: what is wrong with it is for the analysis to say."""
    return command_of(raw.partition(b"*")[0].lower())


class _Reading:
    """One pass over a file, line by line, without a second copy of it."""

    def __init__(self, size_bytes: int) -> None:
        self.state = MotionState()
        self.claims = Claims()
        self._step_bytes = max(1, -(-size_bytes // _CURVE_POINTS))
        self._positions = [0]
        self._machine_s = [0.0]
        self._filament_mm = [0.0]
        self._keeps_m83 = False  # for firmwares where G90 and G91 leave E as M82 or M83 set it
        self._doubtful = 0  # the line since when firmwares differ in how they read E

    @property
    def curve(self) -> UsageCurve:
        return UsageCurve(
            positions=tuple(self._positions),
            used={Meter.MACHINE_S: tuple(self._machine_s), Meter.FILAMENT_MM: tuple(self._filament_mm)},
        )

    def read(self, data: bytes) -> None:
        lines = BytesIO(data)
        position = lines.seek(len(_BOM) if data.startswith(_BOM) else 0)
        line = 0
        mark = self._step_bytes
        while raw := lines.readline(MAX_LINE_BYTES + 1):
            line += 1
            position += len(raw)
            if len(raw) > MAX_LINE_BYTES:
                raise JobRejected("gcode-line-too-long", line=line, limit_bytes=MAX_LINE_BYTES)
            if raw.startswith(b";"):
                self.claims.read(raw)
            else:
                self._take(raw, line)
            if position >= mark and position < len(data):
                self._point(position)
                mark = position + self._step_bytes
        self.state.time.stop()
        self._point(len(data))
        if self.state.extents is None and not self.state.filament_mm:
            raise JobRejected("gcode-no-moves", lines=line)

    def _take(self, raw: bytes, line: int) -> None:
        command = command_of(raw, line)
        if not command:
            return
        if command[:3] not in _MOVES:
            check_command(command, line)
            self._note_mode(code_of(command), line)
        if self._doubtful and b"E" in command and code_of(command) in _MOVE_CODES:
            raise JobRejected("gcode-e-doubtful", line=self._doubtful)
        check_move(command, line)
        self.state.feed(command, line)

    def _note_mode(self, code: bytes, line: int) -> None:
        """Notice a `G90` after `M83`, which makes E absolute in Marlin 2.1 and leaves it relative elsewhere.

        The one is `set_relative_mode` in gcode.h, the other `axis_relative_modes` in the Marlin_main.cpp of Marlin 1
        and of Prusa's firmware for the MK3.
        """
        if code in (b"M82", b"M83"):
            self._keeps_m83, self._doubtful = code == b"M83", 0
        elif code == b"G91":
            self._doubtful = 0
        elif code == b"G90" and self._keeps_m83:
            self._doubtful = line

    def _point(self, position: int) -> None:
        self._positions.append(position)
        self._machine_s.append(round(self.state.time_s, 3))
        self._filament_mm.append(round(self.state.filament_mm, 3))


def _remarks(state: MotionState, claims: Mapping[str, Param]) -> tuple[Message, ...]:
    """What the person who sends the file should know of it."""
    remarks = []
    claimed_mm, claimed_s = claims.get("filament_mm"), claims.get("time_s")
    if isinstance(claimed_mm, float) and _differ(claimed_mm, state.filament_mm, _FILAMENT_TOLERANCE):
        params = {"claimed_mm": round(claimed_mm), "moves_mm": round(state.filament_mm)}
        remarks.append(Message(code="gcode-filament-differs", params=params))
    if isinstance(claimed_s, float) and _differ(claimed_s, state.time_s, _TIME_TOLERANCE):
        params = {"claimed_min": round(claimed_s / 60), "moves_min": round(state.time_s / 60)}
        remarks.append(Message(code="gcode-time-differs", params=params))
    if state.filament_mm and not state.nozzle_c:
        remarks.append(Message(code="gcode-never-heats"))
    if not state.homed:
        remarks.append(Message(code="gcode-never-homes"))
    return tuple(remarks)


def _differ(claimed: float, found: float, tolerance: float) -> bool:
    return abs(claimed - found) > tolerance * max(claimed, found)
