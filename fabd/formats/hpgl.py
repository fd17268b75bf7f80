"""HPGL: a plotter's language, from whatever program wrote it, made into plain plotter commands.

What is drawn is kept to the letter: nothing is moved, clipped or scaled, but by `IP` and `SC` where the file gives
both. What only sets the machine (speed, force, paper) is left to fabd's own settings and said in a remark. What
cannot be cut as drawn (text, fills, dashes, device-dependent scaling) is refused by name and byte offset.

Meanings are those of the HP 7475A Interfacing and Programming Manual; polygon mode and the types of
`SC` are those of HP-GL/2 (HP PCL/PJL Reference, PCL 5 Technical Reference Manual, part II, chapters 19 and 21).
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from fabd.errors import JobRejected
from fabd.formats import plotter
from fabd.formats.contract import Analysis
from fabd.formats.hpgl_pen import Pen
from fabd.formats.hpgl_tokens import Command, commands
from fabd.formats.plotter import UNITS_PER_MM, Stroke
from fabd.model import Message

_SETTINGS = frozenset(
    {
        *("AS", "VA", "VN", "VS"),  # speed
        *("AP", "EC", "FC", "FS", "QL", "!FS"),  # force, blade and pen lifting
        *("BP", "MT", "NR", "PP", "PS", "!NR"),  # paper and page
        *("CR", "MC", "NP", "PC", "PT", "PW", "TR", "WU"),  # look of pens
        *("CT", "FT", "LA", "UL", "IM"),  # look of lines and fills; how finely arcs are drawn
        *("CA", "CC", "CS", "DI", "DR", "DV", "ES", "LO", "SA", "SI", "SL", "SR", "SS", "SV", "TL"),  # look of text
    }
)
"""They draw nothing."""
_QUERIES = frozenset(f"O{letter}" for letter in "ACDEFGHIKLOPSTW")
_TEXT = frozenset({"BL", "CP", "DT", "LB", "PB", "SM", "UC", "WD"})
_FILLS = frozenset({"FP", "RA", "RR", "WG"})
_PAGE_ENDS = frozenset({"AF", "AH", "FR", "PG", "!PG"})
_HARMLESS: Mapping[str, Sequence[tuple[float, ...]]] = {"IW": [()], "LT": [()], "RO": [(), (0.0,)], "SM": [()]}
"""With these numbers they end clipping, dashing, turning and symbols; with others, the drawing is not what its lines say."""
_IN_POLYGON = frozenset({"PM", "PU", "PD", "PA", "PR", "AA", "AR"})

LONGEST_SCRATCH_MM = 5.0

_FIRST = "BP|DF|IN|IP|PA|PD|PG|PU|SC|SP|VS"
_BEGINNING = re.compile(
    rf"[\s;]*(?:\x1b\.(?:[@HIMNPQST](?:[\d;]*:)?|[A-Z()])[\s;]*)*(?:{_FIRST})\s*(?:[;\d+-]|$|(?:{_FIRST})(?![a-z]))".encode(),
    re.IGNORECASE,
)


class Hpgl:
    """HPGL and its `.plt` files."""

    names: ClassVar[frozenset[str]] = frozenset({"hpgl"})
    suffixes: ClassVar[frozenset[str]] = frozenset({".hpgl", ".plt", ".hpg", ".hgl"})

    def recognises(self, head: bytes, name: str) -> bool:
        del name  # `.plt` is also gnuplot's own language: the content decides
        return _BEGINNING.match(head) is not None

    def analyse(self, data: bytes, name: str) -> Analysis:
        del name
        reading = _Reading()
        for command in commands(data):
            reading.take(command)
        reading.pen.finish()
        return plotter.program(data, reading.pen.sheet, reading.remarks())


class _Reading:
    """One reading of a file: what each command does to the pen."""

    def __init__(self) -> None:
        self.pen = Pen()
        self._unused: set[str] = set()
        self._asked: set[str] = set()
        pen = self.pen
        self._does: dict[str, Callable[[Command], None]] = {
            "IN": lambda _: pen.reset(),
            "DF": lambda _: pen.defaults(),
            "IP": pen.corners,
            "SC": pen.scale,
            "SP": pen.select,
            "PU": pen.up,
            "PD": pen.down,
            "PA": pen.absolute,
            "PR": pen.relative,
            "AA": pen.arc_absolute,
            "AR": pen.arc_relative,
            "CI": pen.circle,
            "EA": pen.rectangle_absolute,
            "ER": pen.rectangle_relative,
            "PM": pen.polygon,
            "EP": lambda _: pen.edge_polygon(),
        }

    def take(self, command: Command) -> None:
        name = command.name
        self.pen.offset = command.offset
        if name in _SETTINGS:
            self._unused.add(name)
        elif name in _QUERIES or name.startswith("ESC"):
            self._asked.add(name)
        elif name in _PAGE_ENDS:
            self.pen.end_page()
        elif command.numbers in _HARMLESS.get(name, ()):
            pass
        elif name in self._does:
            if self.pen.in_polygon and name not in _IN_POLYGON:
                raise JobRejected("hpgl-in-polygon", command=name, offset=command.offset)
            self._does[name](command)
        else:
            raise _refusal(command)

    def remarks(self) -> list[Message]:
        found = []
        if self._unused:
            found.append(Message(code="hpgl-unused", params={"commands": ", ".join(sorted(self._unused))}))
        if self._asked:
            found.append(Message(code="hpgl-stripped", params={"commands": ", ".join(sorted(self._asked))}))
        if (length_mm := _scratch_mm(self.pen.sheet.strokes)) is not None:
            found.append(Message(code="hpgl-scratch", params={"length_mm": length_mm}))
        return found


def _scratch_mm(strokes: list[Stroke]) -> float | None:
    """The length of the cut at the origin that Inkscape makes to turn the blade, where the file begins with one."""
    first = list(strokes[0].points()) if len(strokes) > 1 and len(strokes[0].xs) == 2 else []
    if not first or first[0] != (0, 0) or 0 not in first[1]:
        return None
    length_mm = math.dist(*first) / UNITS_PER_MM
    return length_mm if length_mm <= LONGEST_SCRATCH_MM else None


def _refusal(command: Command) -> JobRejected:
    name = command.name
    if name in _TEXT:
        code = "hpgl-text"
    elif name in _FILLS:
        code = "hpgl-fill"
    elif name == "LT":
        code = "hpgl-dashes"
    elif name in ("IW", "RO"):
        code = "hpgl-window"
    else:
        code = "hpgl-unknown"
    return JobRejected(code, command=name, offset=command.offset)
