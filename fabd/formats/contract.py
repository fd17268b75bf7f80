"""The contract between fabd and a format: one plain class, no base class to inherit, no state, no I/O.

Formats are entry points of the group `fabd.formats` (name -> class, made without arguments). They run inside of
the jail (`fabd.formats.sandbox`): everything that a parser imports must stand at the top of its module, since
no file can be opened once a stranger's bytes are being read.

`Program.format` names the language that the machine is given, in the words that drivers put into `accepts`. A
drawing in SVG therefore gives a program whose format is `hpgl`, and its plotter commands as `Analysis.rewritten`.
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol

from fabd.model import Program


@dataclass(frozen=True, kw_only=True, slots=True)
class Analysis:
    """What a format found in a file.

    `rewritten` holds the bytes that the machine is to be given where these are not the file as it was brought;
    `program.runs_sha256` is their SHA-256, and `program.curve` counts positions in them.
    """

    program: Program
    rewritten: bytes | None = None


class Format(Protocol):
    """What the room needs of a format."""

    names: ClassVar[frozenset[str]]
    """The values of `Program.format` that it can give, as in a driver's `accepts`: `gcode`, `hpgl`, `dst` ..."""
    suffixes: ClassVar[frozenset[str]]
    """Endings of file names, lower-case, with the dot: `.gcode`."""

    def recognises(self, head: bytes, name: str) -> bool:
        """Whether the file is of this format.

        `head` is its beginning (up to `HEAD_BYTES`; all of a small file), never empty. The content decides; the
        name decides only for languages that have no mark of their own. Never raises.
        """
        ...

    def analyse(self, data: bytes, name: str) -> Analysis:
        """Read the whole file. Pure: the same bytes give the same analysis.

        Raises `JobRejected` for whatever cannot be made, naming the line or the place, and nothing else.
        """
        ...


HEAD_BYTES = 65_536
"""How much of a file `Format.recognises` sees."""
