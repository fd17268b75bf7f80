"""Embroidery designs: DST, PES, EXP, JEF and VP3, through pyembroidery.

The machine gets the file as it is; fabd only counts. A stitch is a stitch that is sewn: jumps, trims and stops are
not among them. Sizes are those that the stitches fill; the languages count in tenths of a millimetre.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import ClassVar

import pyembroidery
from pyembroidery import COLOR_CHANGE, COMMAND_MASK, STITCH, EmbPattern

from fabd.errors import JobRejected
from fabd.formats.contract import Analysis
from fabd.formats.stitch_headers import LANGUAGES, Header, header, language_of
from fabd.model import Extents, Message, Meter, Needs, Param, PositionUnit, Program, Thread, UsageCurve

MOST_BYTES = 16 * 1024 * 1024
"""Millions of stitches: days of sewing."""
LARGEST_MM = 2_000.0
"""No embroidery field is as large as this; a damaged file easily is."""
MOST_CURVE_POINTS = 2_000
DIFFERENCE_MM = 2.0
"""How far the header's size may be from that of the stitches without a word: some count the last jump."""

_READERS: Mapping[str, Callable[[BytesIO, EmbPattern], None]] = {
    "dst": pyembroidery.DstReader.read,
    "pes": pyembroidery.PesReader.read,
    "exp": pyembroidery.ExpReader.read,
    "jef": pyembroidery.JefReader.read,
    "vp3": pyembroidery.Vp3Reader.read,
}
_WITHOUT_COLOURS = frozenset({"dst", "exp"})


class Stitches:
    """The languages of embroidery machines."""

    names: ClassVar[frozenset[str]] = LANGUAGES
    suffixes: ClassVar[frozenset[str]] = frozenset(f".{language}" for language in LANGUAGES)

    def recognises(self, head: bytes, name: str) -> bool:
        return language_of(head, name) is not None

    def analyse(self, data: bytes, name: str) -> Analysis:
        language = language_of(data, name)
        if language is None:
            raise JobRejected("stitches-unknown", languages=" ".join(sorted(LANGUAGES)).upper())
        if len(data) > MOST_BYTES:
            raise JobRejected("stitches-too-many", limit_mb=MOST_BYTES // 2**20)
        said = header(language, data)
        pattern = _read(language, data)
        sewn = _sewn(pattern)
        extents = sewn.extents()
        digest = hashlib.sha256(data).hexdigest()
        return Analysis(
            program=Program(
                format=language,
                sha256=digest,
                runs_sha256=digest,
                size_bytes=len(data),
                unit=PositionUnit.STITCHES,
                length=sewn.count,
                extents=extents,
                curve=sewn.curve(),
                needs=Needs(threads=tuple(_threads(language, pattern, len(sewn.changes) + 1))),
                claims=_claims(said),
                remarks=tuple(_remarks(language, said, extents, len(sewn.changes))),
            ),
        )


def _read(language: str, data: bytes) -> EmbPattern:
    pattern = EmbPattern()
    try:
        _READERS[language](BytesIO(data), pattern)
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, MemoryError) as error:
        # What pyembroidery was seen to raise on damaged files; it has no error of its own.
        raise JobRejected("stitches-unreadable", language=language.upper(), detail=type(error).__name__) from error
    return pattern


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sewn:
    """What is sewn: needle points in tenths of a millimetre, and after how many stitches the colour changes."""

    xs: Sequence[float]
    ys: Sequence[float]
    changes: Sequence[int]

    @property
    def count(self) -> int:
        return len(self.xs)

    def extents(self) -> Extents:
        """In millimetres, y upwards. Raises `JobRejected` for what no machine can hold."""
        extents = Extents(
            x_min_mm=min(self.xs) / 10,
            y_min_mm=-max(self.ys) / 10,
            x_max_mm=max(self.xs) / 10,
            y_max_mm=-min(self.ys) / 10,
        )
        if not max(extents.width_mm, extents.height_mm) <= LARGEST_MM:
            raise JobRejected(
                "stitches-too-large",
                width_mm=round(extents.width_mm),
                height_mm=round(extents.height_mm),
                limit_mm=round(LARGEST_MM),
            )
        return extents

    def curve(self) -> UsageCurve:
        """Exact at each change of colour, as long as there are not too many of them."""
        around = {position for change in self.changes for position in (change, min(change + 1, self.count))}
        if len(around) > MOST_CURVE_POINTS // 2:
            around = set()
        every = -(-self.count // (MOST_CURVE_POINTS // 2 - 2))
        positions = tuple(sorted({0, *range(0, self.count, every), *around, self.count}))
        return UsageCurve(
            positions=positions,
            used={
                Meter.STITCHES: tuple(map(float, positions)),
                Meter.COLOUR_CHANGES: tuple(self._changes_until(positions)),
            },
        )

    def _changes_until(self, positions: Sequence[int]) -> Iterator[float]:
        """A change is counted with the first stitch after it, one at the very end with the last stitch."""
        counted = 0
        for position in positions:
            while counted < len(self.changes) and (self.changes[counted] < position or position == self.count):
                counted += 1
            yield float(counted)


def _sewn(pattern: EmbPattern) -> _Sewn:
    """Raises `JobRejected` where nothing is sewn."""
    xs, ys, changes = [], [], []
    for x, y, command in pattern.stitches:
        if command & COMMAND_MASK == STITCH:
            xs.append(x)
            ys.append(y)
        elif command & COMMAND_MASK == COLOR_CHANGE:
            changes.append(len(xs))
    if not xs:
        raise JobRejected("stitches-none")
    return _Sewn(xs=xs, ys=ys, changes=changes)


def _threads(language: str, pattern: EmbPattern, count: int) -> Iterator[Thread]:
    """As many as are sewn with; colour `None` where the file names none."""
    known = [] if language in _WITHOUT_COLOURS else pattern.threadlist
    for place in range(count):
        thread = known[place] if place < len(known) else None
        if thread is None or thread.color is None:
            yield Thread(colour=None)
        else:
            name = thread.description.strip()[:40] if thread.description else None
            yield Thread(colour=f"#{thread.color & 0xFFFFFF:06x}", name=name or None)


def _claims(said: Header) -> dict[str, Param]:
    claims = {
        "commands": said.commands,
        "colour_changes": said.colour_changes,
        "width_mm": said.width_mm,
        "height_mm": said.height_mm,
    }
    return {name: value for name, value in claims.items() if value is not None}


def _remarks(language: str, said: Header, extents: Extents, changes: int) -> Iterator[Message]:
    if language in _WITHOUT_COLOURS:
        yield Message(code="stitches-no-colours", params={"language": language.upper(), "threads": changes + 1})
    if said.colour_changes not in (None, changes, changes + 1):  # some count colours, some their changes
        yield Message(code="stitches-colours-differ", params={"said": said.colour_changes, "found": changes})
    if said.width_mm and said.height_mm and _is_far(said.width_mm, said.height_mm, extents):
        yield Message(
            code="stitches-size-differs",
            params={
                "said_width_mm": said.width_mm,
                "said_height_mm": said.height_mm,
                "width_mm": round(extents.width_mm, 1),
                "height_mm": round(extents.height_mm, 1),
            },
        )


def _is_far(width_mm: float, height_mm: float, extents: Extents) -> bool:
    return abs(width_mm - extents.width_mm) > DIFFERENCE_MM or abs(height_mm - extents.height_mm) > DIFFERENCE_MM
