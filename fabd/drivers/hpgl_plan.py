"""From plain plotter commands to what the cutter is sent: each command with its motion, its time and its totals.

A run file holds one command a line, `SPn;`, `PUx,y;` or `PDx,y;`, with whole plotter units. One plotter unit is
0.025 mm (HP 7475A Interfacing and Programming Manual, chapter 1). X is the feed axis, Y goes across the roll.
"""

import math
import re
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from fabd.drivers.hpgl_config import HpglConfig
from fabd.errors import JobRejected

UNITS_PER_MM = 40
LONGEST_LINE_BYTES = 64
LOOK_AHEAD_S = 2.0
"""How much motion the machine may hold in advance: a pause, and a stop that it ignores, take no longer."""

_COMMAND = re.compile(rb"(?:SP\d{1,3}|(PU|PD)(-?\d{1,8}),(-?\d{1,8}));\n")


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One command: what is sent for it, where the tool stands after it, and all that was used until then.

    `end` is the offset in the run file behind the command; `x` and `y` are plotter units; `motion_s` is how long
    the machine takes for it by the configured speeds.
    """

    data: bytes
    end: int = 0
    x: int = 0
    y: int = 0
    pen_down: bool = False
    motion_s: float = 0.0
    cut_mm: float = 0.0
    travel_mm: float = 0.0
    vinyl_mm: float = 0.0


def plan(file: Path, config: HpglConfig) -> Generator[Step, None, None]:
    """The steps of the run file, in order.

    Raises `JobRejected` at a line that is no plain command, that cuts from an unknown point, or that leads off the
    media.
    """
    step, placed = Step(data=b""), False
    with file.open("rb") as lines:
        for number, line in enumerate(iter(lambda: lines.readline(LONGEST_LINE_BYTES), b""), start=1):
            match = _COMMAND.fullmatch(line)
            if match is None or (match[1] == b"PD" and not placed):
                raise JobRejected("cutter-command-unknown", line=number)
            placed = placed or match[1] == b"PU"
            step = _next_step(step, line, match, config)
            if not config.has_room_for(step.x / UNITS_PER_MM, step.y / UNITS_PER_MM):
                raise JobRejected(
                    "cutter-line-off-media", line=number, x_mm=step.x / UNITS_PER_MM, y_mm=step.y / UNITS_PER_MM
                )
            yield step


def _next_step(last: Step, line: bytes, match: re.Match[bytes], config: HpglConfig) -> Step:
    end = last.end + len(line)
    if match[1] is None:
        return Step(
            data=config.ended(line.removesuffix(b";\n")),
            end=end,
            x=last.x,
            y=last.y,
            pen_down=last.pen_down,
            cut_mm=last.cut_mm,
            travel_mm=last.travel_mm,
            vinyl_mm=last.vinyl_mm,
        )
    x, y, pen_down = int(match[2]), int(match[3]), match[1] == b"PD"
    way_mm = math.hypot(x - last.x, y - last.y) / UNITS_PER_MM
    lift_s = config.lift_s if pen_down is not last.pen_down else 0.0
    return Step(
        data=config.pen_down(x, y) if pen_down else config.pen_up(x, y),
        end=end,
        x=x,
        y=y,
        pen_down=pen_down,
        motion_s=lift_s + way_mm / (config.cut_mm_s if pen_down else config.travel_mm_s),
        cut_mm=last.cut_mm + (way_mm if pen_down else 0.0),
        travel_mm=last.travel_mm + (0.0 if pen_down else way_mm),
        vinyl_mm=max(last.vinyl_mm, x / UNITS_PER_MM),
    )


class LookAhead:
    """The commands that were sent and are not proven executed, and how much more may be sent.

    A command leaves the machine's buffer when its execution begins; it is proven executed once the next one has left.
    """

    def __init__(self, capacity_bytes: int) -> None:
        self.capacity_bytes = capacity_bytes
        self.free_bytes = capacity_bytes
        self.motion_s = 0.0
        self._steps: deque[tuple[Step, float]] = deque()
        self._bytes = 0
        self._busy_until_s = 0.0

    def __len__(self) -> int:
        return len(self._steps)

    def has_room(self, step: Step) -> bool:
        """Whether `step` fits into the machine's buffer and into the look-ahead; two commands always may."""
        in_time = len(self._steps) < 2 or self.motion_s + step.motion_s <= LOOK_AHEAD_S
        return in_time and len(step.data) <= self.free_bytes

    def add(self, step: Step, now_s: float, takes_s: float) -> None:
        """`step` is sent now; by the model the machine is busy with it for `takes_s`."""
        self._busy_until_s = max(now_s, self._busy_until_s) + takes_s
        self._steps.append((step, self._busy_until_s))
        self._bytes += len(step.data)
        self.free_bytes -= len(step.data)
        self.motion_s += step.motion_s

    def acknowledged(self, free_bytes: int) -> Step | None:
        """The machine says that so many bytes are free; returns the newest step that this proves executed."""
        self.free_bytes = free_bytes
        buffered = self.capacity_bytes - free_bytes
        newest = None
        while len(self._steps) >= 2 and self._bytes - self._size(0) - self._size(1) >= buffered:
            newest = self._drop()
        return newest

    def passed(self, now_s: float) -> Step | None:
        """By the model alone, the newest step that is over."""
        newest = None
        while self._steps and self._steps[0][1] <= now_s:
            newest = self._drop()
        self.free_bytes = self.capacity_bytes - self._bytes
        return newest

    def forget(self) -> None:
        """The machine threw away what it held: nothing of it will be proven any more."""
        self._steps.clear()
        self._bytes = 0
        self.motion_s = 0.0

    def _size(self, index: int) -> int:
        return len(self._steps[index][0].data)

    def _drop(self) -> Step:
        step, _ = self._steps.popleft()
        self._bytes -= len(step.data)
        self.motion_s = self.motion_s - step.motion_s if self._steps else 0.0
        return step
