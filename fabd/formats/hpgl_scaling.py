"""`IP` and `SC`: from a drawing's own units to plotter units, where the file says enough to know.

HP 7475A Interfacing and Programming Manual; types of `SC` as in HP-GL/2 (HP PCL/PJL
Reference, PCL 5 Technical Reference Manual, part II, chapter 19).
"""

import math
from dataclasses import dataclass

from fabd.errors import JobRejected
from fabd.formats.hpgl_tokens import Command

Corners = tuple[float, float, float, float]
"""P1 and P2 in plotter units: x1, y1, x2, y2."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mapping:
    """`plotter = shift + factor * user`, on each axis."""

    x_shift: float = 0.0
    y_shift: float = 0.0
    x_factor: float = 1.0
    y_factor: float = 1.0

    def point(self, x: float, y: float) -> tuple[float, float]:
        return self.x_shift + self.x_factor * x, self.y_shift + self.y_factor * y

    @property
    def largest_factor(self) -> float:
        return max(abs(self.x_factor), abs(self.y_factor))


PLOTTER_UNITS = Mapping()


def mapping(scale: Command, corners: Corners | None) -> Mapping:
    """What the command `SC` means between `corners`. Raises `JobRejected`.

    Without `IP` the corners are where the plotter has them, so the size is unknown.
    """
    if corners is None:
        raise JobRejected("hpgl-scale-unknown", offset=scale.offset)
    numbers = scale.arity(4, 5, 7)
    kind = numbers[4] if len(numbers) > 4 else 0
    if kind == 2:
        made = _by_factor(numbers, corners)
    elif kind in (0, 1):
        made = _between(numbers, corners)
        if kind == 1:
            made = _isotropic(made, numbers, corners)
    else:
        raise _nonsense(scale)
    if not made.x_factor or not made.y_factor:
        raise _nonsense(scale)
    return made


def _nonsense(scale: Command) -> JobRejected:
    return JobRejected("hpgl-scale-nonsense", offset=scale.offset)


def _by_factor(numbers: tuple[float, ...], corners: Corners) -> Mapping:
    """Type 2: a factor for each axis, and the user coordinates of P1."""
    x_min, x_factor, y_min, y_factor = numbers[:4]
    return Mapping(
        x_shift=corners[0] - x_min * x_factor,
        y_shift=corners[1] - y_min * y_factor,
        x_factor=x_factor,
        y_factor=y_factor,
    )


def _between(numbers: tuple[float, ...], corners: Corners) -> Mapping:
    """Type 0: the user's ranges fill the box between P1 and P2."""
    x_min, x_max, y_min, y_max = numbers[:4]
    x1, y1, x2, y2 = corners
    x_factor = (x2 - x1) / (x_max - x_min) if x_max != x_min else 0.0
    y_factor = (y2 - y1) / (y_max - y_min) if y_max != y_min else 0.0
    return Mapping(x_shift=x1 - x_min * x_factor, y_shift=y1 - y_min * y_factor, x_factor=x_factor, y_factor=y_factor)


def _isotropic(filled: Mapping, numbers: tuple[float, ...], corners: Corners) -> Mapping:
    """Type 1: the same scale on both axes; what is left of the box is shared out by percent, half and half by default."""
    x_min, x_max, y_min, y_max = numbers[:4]
    left, bottom = numbers[5:7] if len(numbers) == 7 else (50.0, 50.0)
    factor = min(abs(filled.x_factor), abs(filled.y_factor))
    x_factor, y_factor = math.copysign(factor, filled.x_factor), math.copysign(factor, filled.y_factor)
    x1, y1, x2, y2 = corners
    x_spare = (x2 - x1) - x_factor * (x_max - x_min)
    y_spare = (y2 - y1) - y_factor * (y_max - y_min)
    return Mapping(
        x_shift=x1 + x_spare * left / 100 - x_min * x_factor,
        y_shift=y1 + y_spare * bottom / 100 - y_min * y_factor,
        x_factor=x_factor,
        y_factor=y_factor,
    )
