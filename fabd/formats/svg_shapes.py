"""SVG attributes as numbers, and shapes as segments of their outline.

svgelements does the geometry; it takes whatever it cannot read for zero, or stops there, and its numbers have no
trailing point. So every attribute is checked here, and handed over in numbers that are written one way. Units: SVG 1.1, sections 4.2 and 7.10, with CSS's 96 pixels to the inch.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from svgelements import Ellipse, Matrix, Path, PathSegment, Polyline, Rect

from fabd.errors import JobRejected

MM_PER_PX = 25.4 / 96
MM_PER_UNIT: Mapping[str, float] = {
    "": MM_PER_PX,
    "px": MM_PER_PX,
    "mm": 1.0,
    "cm": 10.0,
    "q": 0.25,
    "in": 25.4,
    "pt": 25.4 / 72,
    "pc": 25.4 / 6,
}
LARGEST_NUMBER = 1e9

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_LENGTH = re.compile(rf"\s*({_NUMBER})([A-Za-z]*|%)\s*", re.ASCII)
_NUMBERS = re.compile(_NUMBER, re.ASCII)
_SEPARATORS = re.compile(r"[\s,]*", re.ASCII)
_PATH_PART = re.compile(r"([MmZzLlHhVvCcSsQqTtAa])([^MmZzLlHhVvCcSsQqTtAa]*)")
_PATH_COUNTS: Mapping[str, int] = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "Z": 0}
# The two flags of an arc may stand without anything between them and the next number; numbers are never split.
_ARC = re.compile(r"[\s,]*".join(["", *[f"((?>{_NUMBER}))"] * 3, *["([01])"] * 2, *[f"((?>{_NUMBER}))"] * 2]), re.ASCII)
_SUBPATHS = re.compile(r"(?=[Mm])")
_TRANSFORM = re.compile(r"[\s,]*(matrix|translate|scale|rotate|skewX|skewY)\s*\(([^()]*)\)")
_TRANSFORM_COUNTS: Mapping[str, tuple[int, ...]] = {
    "matrix": (6,),
    "translate": (1, 2),
    "scale": (1, 2),
    "rotate": (1, 3),
    "skewX": (1,),
    "skewY": (1,),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Viewport:
    """What percentages are of, in user units."""

    width: float
    height: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Attributes:
    """The attributes of one element, read with care. All methods raise `JobRejected` for what they cannot read."""

    tag: str
    values: Mapping[str, str]

    @property
    def name(self) -> str:
        """The element's id, to name it by; `-` where it has none."""
        return self.values.get("id", "")[:40] or "-"

    def wrong(self, name: str) -> JobRejected:
        """The refusal that names this attribute."""
        return JobRejected(
            "svg-bad-attribute",
            element=self.tag,
            id=self.name,
            attribute=name,
            value=self.values.get(name, "")[:40],
        )

    def length(self, name: str, whole: float) -> float | None:
        """In user units; `whole` is what 100 % are. `None` where it is not given."""
        text = self.values.get(name, "auto").strip()
        if text == "auto":
            return None
        parts = _LENGTH.fullmatch(text)
        if parts is None:
            raise self.wrong(name)
        number, unit = float(parts[1]), parts[2].lower()
        if unit == "%":
            length = number / 100 * whole
        elif unit in MM_PER_UNIT:
            length = number * MM_PER_UNIT[unit] / MM_PER_PX
        else:
            raise self.wrong(name)
        if not abs(length) <= LARGEST_NUMBER:
            raise self.wrong(name)
        return length

    def size(self, name: str, whole: float) -> float | None:
        """As `length`, but never negative."""
        length = self.length(name, whole)
        if length is not None and length < 0:
            raise self.wrong(name)
        return length

    def radii(self, viewport: Viewport) -> tuple[float, float]:
        """`rx` and `ry`; where one is missing it equals the other."""
        rx, ry = self.size("rx", viewport.width), self.size("ry", viewport.height)
        return (ry if rx is None else rx) or 0.0, (rx if ry is None else ry) or 0.0

    def numbers(self, name: str, text: str) -> list[float]:
        """The numbers in `text`, a part of the attribute `name`."""
        if _SEPARATORS.fullmatch(_NUMBERS.sub("", text)) is None:
            raise self.wrong(name)
        numbers = [float(number) for number in _NUMBERS.findall(text)]
        if not all(abs(number) <= LARGEST_NUMBER for number in numbers):
            raise self.wrong(name)
        return numbers

    def transform(self) -> Matrix:
        text = self.values.get("transform", "").strip()
        if text == "none":
            return Matrix()
        if _SEPARATORS.fullmatch(_TRANSFORM.sub("", text)) is None:
            raise self.wrong("transform")
        steps = [(name, self.numbers("transform", arguments)) for name, arguments in _TRANSFORM.findall(text)]
        if not all(len(numbers) in _TRANSFORM_COUNTS[name] for name, numbers in steps):
            raise self.wrong("transform")
        return Matrix(" ".join(f"{name}({_written(numbers)})" for name, numbers in steps))


def _written(numbers: Iterable[float]) -> str:
    return " ".join(map(repr, numbers))


def outline(attributes: Attributes, viewport: Viewport) -> Iterator[PathSegment]:
    """The segments of a shape's outline, in its own user units; none where SVG draws nothing.

    Raises `JobRejected`.
    """
    return _OUTLINES[attributes.tag](attributes, viewport)


def _path(attributes: Attributes, _: Viewport) -> Iterator[PathSegment]:
    text = attributes.values.get("d", "").strip()
    if text in ("", "none"):
        return
    if text[0] not in "Mm":
        raise attributes.wrong("d")
    text = "".join(_path_part(attributes, command, arguments) for command, arguments in _PATH_PART.findall(text))
    x = y = 0.0
    # svgelements looks for the start of each subpath from the front, so each is read by itself.
    for subpath in _SUBPATHS.split(text)[1:]:
        try:
            path = Path(f"M{x!r},{y!r}{subpath}")
        except (ValueError, ArithmeticError) as error:  # an arc between points that are too far apart or too near
            raise attributes.wrong("d") from error
        yield from path
        x, y = path.current_point


def _path_part(attributes: Attributes, command: str, arguments: str) -> str:
    """A command of a path with its numbers, which it takes once or several times."""
    numbers = attributes.numbers("d", arguments)
    if command in "Aa":
        arcs = _ARC.findall(arguments)
        if not arcs or _SEPARATORS.fullmatch(_ARC.sub("", arguments)) is None:
            raise attributes.wrong("d")
        return command + " ".join(
            f"{_written(map(float, arc[:3]))} {arc[3]} {arc[4]} {_written(map(float, arc[5:]))}" for arc in arcs
        )
    count = _PATH_COUNTS[command.upper()]
    if bool(numbers) is not bool(count) or (count and len(numbers) % count):
        raise attributes.wrong("d")
    return command + _written(numbers)


def _rect(attributes: Attributes, viewport: Viewport) -> Iterator[PathSegment]:
    width = attributes.size("width", viewport.width)
    height = attributes.size("height", viewport.height)
    if not width or not height:
        return
    rx, ry = attributes.radii(viewport)
    yield from Rect(
        x=attributes.length("x", viewport.width) or 0.0,
        y=attributes.length("y", viewport.height) or 0.0,
        width=width,
        height=height,
        rx=rx,
        ry=ry,
    ).segments(transformed=False)


def _circle(attributes: Attributes, viewport: Viewport) -> Iterator[PathSegment]:
    radius = attributes.size("r", math.hypot(viewport.width, viewport.height) / math.sqrt(2)) or 0.0
    return _round(attributes, viewport, radius, radius)


def _ellipse(attributes: Attributes, viewport: Viewport) -> Iterator[PathSegment]:
    rx, ry = attributes.radii(viewport)
    return _round(attributes, viewport, rx, ry)


def _round(attributes: Attributes, viewport: Viewport, rx: float, ry: float) -> Iterator[PathSegment]:
    if rx and ry:
        cx = attributes.length("cx", viewport.width) or 0.0
        cy = attributes.length("cy", viewport.height) or 0.0
        yield from Ellipse(cx=cx, cy=cy, rx=rx, ry=ry).segments(transformed=False)


def _line(attributes: Attributes, viewport: Viewport) -> Iterator[PathSegment]:
    ends = [
        (attributes.length(x, viewport.width) or 0.0, attributes.length(y, viewport.height) or 0.0)
        for x, y in (("x1", "y1"), ("x2", "y2"))
    ]
    yield from Polyline(*ends).segments(transformed=False)


def _polyline(attributes: Attributes, _: Viewport) -> Iterator[PathSegment]:
    numbers = attributes.numbers("points", attributes.values.get("points", ""))
    if len(numbers) % 2:
        raise attributes.wrong("points")
    points = list(zip(numbers[::2], numbers[1::2], strict=True))
    if attributes.tag == "polygon":
        points += points[:1]
    yield from Polyline(*points).segments(transformed=False)


_OUTLINES: Mapping[str, Callable[[Attributes, Viewport], Iterator[PathSegment]]] = {
    "path": _path,
    "rect": _rect,
    "circle": _circle,
    "ellipse": _ellipse,
    "line": _line,
    "polyline": _polyline,
    "polygon": _polyline,
}
SHAPES = frozenset(_OUTLINES)
