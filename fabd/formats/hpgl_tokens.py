"""HPGL as it is met in the world, cut into commands.

A command is two letters and its numbers. It ends at `;`, at the next command or, at the end of the file, at a line
end; numbers are parted by commas or blanks, so a line break inside of a list of numbers does no harm.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fabd.errors import JobRejected
from fabd.formats.plotter import MOST_POINTS

LARGEST_NUMBER = 2**30 - 1
"""The formats "integer" and "real" (HP PCL/PJL Reference, PCL 5 Technical Reference Manual, part II, chapter 17)."""

# Between commands: blanks, `;`, and the ETX and SUB with which some programs end a file.
_BETWEEN = re.compile(r"[\s;\x03\x1a]*", re.ASCII)
# Device control (HP 7475A Interfacing and Programming Manual): ESC . letter, for some with parameters up to a colon.
_DEVICE_CONTROL = re.compile(r"\x1b\.(?:[@HIMNPQST](?:[\d;]*:)?|[A-Z()])", re.ASCII)
_COMMAND = re.compile(r"(!?[A-Za-z]{2})([\s\d,.+-]*)", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)", re.ASCII)
_PARTED = re.compile(r"\s*,\s*|\s+", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """`name` is upper-case; an escape sequence is named `ESC.` and its letter. `offset` counts bytes from 0."""

    name: str
    numbers: tuple[float, ...]
    offset: int

    def pairs(self) -> Iterator[tuple[float, float]]:
        """The numbers as coordinates. Raises `JobRejected` when one is left over."""
        if len(self.numbers) % 2:
            raise JobRejected("hpgl-odd-coordinates", command=self.name, offset=self.offset, count=len(self.numbers))
        return zip(self.numbers[::2], self.numbers[1::2], strict=True)

    def arity(self, *counts: int) -> tuple[float, ...]:
        """The numbers, when there are as many as one of `counts`; else raises `JobRejected`."""
        if len(self.numbers) not in counts:
            raise JobRejected(
                "hpgl-wrong-numbers",
                command=self.name,
                offset=self.offset,
                count=len(self.numbers),
                expected=" / ".join(map(str, counts)),
            )
        return self.numbers


def commands(data: bytes) -> Iterator[Command]:
    """The commands of the file, in order, as far as they are asked for.

    Text (`LB`) is not understood: who meets it must not ask on. Raises `JobRejected` for what cannot be HPGL and
    for a file that ends inside of a command.
    """
    text = data.decode("latin-1")
    at = _skip(text, 0)
    while at < len(text):
        if control := _DEVICE_CONTROL.match(text, at):
            yield Command(name=f"ESC{control[0][1:3]}", numbers=(), offset=at)
            at = _skip(text, control.end())
            continue
        command = _COMMAND.match(text, at)
        if command is None:
            raise JobRejected("hpgl-not-a-command", offset=at, found=repr(data[at : at + 1])[2:-1])
        name = command[1].upper()
        if command.end() == len(text) and not text.endswith(("\n", "\r")):
            raise JobRejected("hpgl-cut-off", command=name, offset=at)
        yield Command(name=name, numbers=_numbers(name, command[2], at), offset=at)
        at = _skip(text, command.end())


def _skip(text: str, at: int) -> int:
    between = _BETWEEN.match(text, at)
    assert between is not None  # it matches nothing, too
    return between.end()


def _numbers(name: str, text: str, offset: int) -> tuple[float, ...]:
    if not (text := text.strip()):
        return ()
    parts = _PARTED.split(text)
    if len(parts) > 2 * MOST_POINTS:
        raise JobRejected("drawing-too-many-points", limit=MOST_POINTS)
    numbers = []
    for part in parts:
        if _NUMBER.fullmatch(part) is None:
            raise JobRejected("hpgl-not-a-number", command=name, offset=offset, found=part[:20])
        number = float(part)
        if abs(number) > LARGEST_NUMBER:
            raise JobRejected("hpgl-number-too-large", command=name, offset=offset, limit=LARGEST_NUMBER)
        numbers.append(number)
    return tuple(numbers)
