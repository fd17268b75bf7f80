"""What the files of embroidery machines say of themselves, and whether they are whole.

pyembroidery reads what is there, and takes the end of a file, or a code that it does not know, for the end of the
design. So before it is asked, each language's own marks are checked here: end marks, block lengths, counts.
Layouts: the readers of pyembroidery 1.5.1 and the Embroidermodder project's "File Formats" pages.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from fabd.errors import JobRejected

_DST_HEADER_BYTES = 512
_DST_FIELD = re.compile(rb"(?:^|[\r\n])(ST|CO|\+X|-X|\+Y|-Y):\s*(\d{1,9})\s*(?=[\r\n])")
_DST_END = 0xF3  # third byte of a record, under the mask of the same value
_PEC_STITCHES = 512  # from the start of the PEC block to that of the stitches
_PEC_COLOURS = 48
_JEF_COLOURS, _JEF_COUNT, _JEF_BOX, _JEF_SMALLEST = 24, 28, 36, 0x74
_VP3_MAGIC = b"%vsm%\0"
_CONTROL = 0x80  # first byte of a pair in EXP and JEF
_EXP_CONTROLS = frozenset({0x80, 0x04, 0x02, 0x01})  # trim, jump, stitch, colour
_JEF_CONTROLS = frozenset({0x02, 0x01})  # jump, colour
_JEF_END = 0x10


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """What the maker says; `None` where the language says nothing. Sizes in millimetres."""

    commands: int | None = None
    """Stitches and jumps together."""
    colour_changes: int | None = None
    width_mm: float | None = None
    height_mm: float | None = None


def language_of(head: bytes, name: str) -> str | None:
    """Which of the languages `head` is in: by its mark, and only for EXP, which has none, by the file's name."""
    if head.startswith(b"#PES"):
        return "pes"
    if head.startswith(_VP3_MAGIC):
        return "vp3"
    if head.startswith(b"LA:") and re.search(rb"[\r\n]ST:", head[:_DST_HEADER_BYTES]):
        return "dst"
    if _begins_jef(head):
        return "jef"
    if name.lower().endswith(".exp") and re.search(rb"[^\t\r\n -~]", head):
        return "exp"
    return None


def _begins_jef(head: bytes) -> bool:
    colours = _number(head, _JEF_COLOURS, 4)
    return len(head) >= _JEF_SMALLEST and colours > 0 and _number(head, 0, 4) == _JEF_SMALLEST + 8 * colours


def header(language: str, data: bytes) -> Header:
    """What the file says of itself. Raises `JobRejected` where it is cut off or damaged."""
    return _HEADERS[language](data)


def _number(data: bytes, at: int, size: int, byteorder: Literal["little", "big"] = "little") -> int:
    return int.from_bytes(data[at : at + size], byteorder)


def _cut_off(found: str) -> JobRejected:
    return JobRejected("stitches-cut-off", found=found)


def _dst(data: bytes) -> Header:
    fields = {key.decode(): int(value) for key, value in _DST_FIELD.findall(data[:_DST_HEADER_BYTES])}
    codes = bytes(byte & _DST_END for byte in data[_DST_HEADER_BYTES + 2 :: 3])
    end = codes.find(_DST_END)
    if end < 0:
        raise _cut_off("no end mark")
    said = fields.get("ST")
    if said is not None and end + 1 < said:  # some count the end mark, too
        raise _cut_off(f"ST {end} < {said}")
    box = [fields.get(side) for side in ("+X", "-X", "+Y", "-Y")]
    right, left, top, bottom = (side or 0 for side in box)
    return Header(
        commands=said,
        colour_changes=fields.get("CO"),
        width_mm=None if None in box else (right + left) / 10,
        height_mm=None if None in box else (top + bottom) / 10,
    )


def _pes(data: bytes) -> Header:
    block = _number(data, 8, 4)
    stitches = block + _PEC_STITCHES
    if len(data) < stitches + 20:
        raise _cut_off("no PEC block")
    length = _number(data, stitches + 2, 3)
    if length < 20 or stitches + length > len(data):
        raise _cut_off(f"PEC {len(data) - stitches} < {length}")
    changes = data[block + _PEC_COLOURS]
    return Header(
        colour_changes=0 if changes == 0xFF else changes,
        width_mm=_number(data, stitches + 8, 2) / 10,
        height_mm=_number(data, stitches + 10, 2) / 10,
    )


def _jef(data: bytes) -> Header:
    start, count = _number(data, 0, 4), _number(data, _JEF_COUNT, 4)
    end = _end_of_pairs(data, start, _JEF_CONTROLS, end_mark=_JEF_END)
    if end is None:
        raise _cut_off("no end mark")
    if (words := (end - start) // 2) < count:
        raise _cut_off(f"{words} < {count}")
    left, top, right, bottom = (_number(data, _JEF_BOX + 4 * side, 4) for side in range(4))
    return Header(
        colour_changes=_number(data, _JEF_COLOURS, 4) - 1,
        width_mm=(left + right) / 10,
        height_mm=(top + bottom) / 10,
    )


def _exp(data: bytes) -> Header:
    _end_of_pairs(data, 0, _EXP_CONTROLS, end_mark=None)
    return Header()


def _end_of_pairs(data: bytes, start: int, controls: frozenset[int], end_mark: int | None) -> int | None:
    """Walk over pairs of bytes, of which a control is followed by a second pair, to behind the end mark.

    `None` where the data ends without one. Raises `JobRejected` where it ends inside of a command, or holds one that
    nobody knows.
    """
    at = start
    while at + 2 <= len(data):
        if data[at] != _CONTROL:
            at += 2
            continue
        control = data[at + 1]
        if control == end_mark:
            return at + 2
        if control not in controls:
            raise JobRejected("stitches-damaged", offset=at, found=f"{_CONTROL:02x} {control:02x}")
        at += 4
    if at != len(data):
        raise _cut_off(f"{at} > {len(data)}")
    return None


def _vp3(data: bytes) -> Header:
    at = len(_VP3_MAGIC)
    at += 2 + _number(data, at, 2, "big") + 3  # who made it; then 00 02 00
    end = at + 4 + _number(data, at, 4, "big")
    if len(data) < at + 4 or end > len(data):
        raise _cut_off(f"{len(data)} < {end}")
    return Header()


_HEADERS: Mapping[str, Callable[[bytes], Header]] = {"dst": _dst, "pes": _pes, "jef": _jef, "exp": _exp, "vp3": _vp3}
LANGUAGES = frozenset(_HEADERS)
