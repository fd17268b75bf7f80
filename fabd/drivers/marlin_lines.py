"""Marlin's lines: frames that are sent, and what is said in the lines that come back. Pure functions over bytes."""

import re
from functools import reduce
from operator import xor

from fabd.model import Temperature

LONGEST_FRAME_BYTES = 95
"""Marlin keeps `MAX_CMD_SIZE - 1` characters of a line and drops the rest in silence (queue.cpp, Configuration_adv.h)."""

_RESEND = re.compile(rb"(?:Resend|rs)[: ]*N?[: ]*(\d+)\b", re.IGNORECASE)
_TEMPERATURE = re.compile(rb"(?:^|[ \t])(T\d*|B|C):[ \t]*(-?\d+(?:\.\d+)?)[ \t]*/[ \t]*(-?\d+(?:\.\d+)?)")
_FRAMING_ERROR = re.compile(
    rb"checksum mismatch|Line Number is not Last Line Number|No Checksum with line number"
    rb"|No Line Number with checksum",
    re.IGNORECASE,
)
_LONG = re.compile(rb"(?:G4|G28|G29|G34|G76|M109|M116|M190|M191|M303|M400|M600|M60[1-3]|M70[12]|T\d*)(?![\d.])")
_MOTION = re.compile(rb"G[0-3](?![\d.])")
_HEATERS = {b"B": "bed", b"C": "chamber"}


def frame(number: int, command: bytes) -> bytes:
    r"""`N<number> <command>*<checksum>\n`: the checksum is the XOR of all bytes before the `*` (RepRap wiki, "G-code")."""
    text = b"N%d %b" % (number, command)
    return b"%b*%d\n" % (text, reduce(xor, text))


def resend_number(line: bytes) -> int | None:
    """The line that the machine asks for again: `Resend: 12`, `rs 12`, `rs N12`; `None` if it asks for none."""
    match = _RESEND.match(line)
    return None if match is None else int(match[1])


def is_framing_error(line: bytes) -> bool:
    """Whether an `Error:` only announces the `Resend` that follows (language.h: `STR_ERR_LINE_NO` and the next ones)."""
    return _FRAMING_ERROR.search(line) is not None


def takes_long(command: bytes) -> bool:
    """Whether the machine answers this only when something slow is over: heating, homing, probing, waiting for moves."""
    return _LONG.match(command) is not None


def is_motion(command: bytes) -> bool:
    """`G0` to `G3`."""
    return _MOTION.match(command) is not None


def temperatures(line: bytes) -> tuple[Temperature, ...]:
    """The heaters in a line such as `T:210.0 /210.0 B:60.0 /60.0 @:127 B@:40`; empty where there are none.

    With several tools Marlin says `T` (the active one) and `T0`, `T1` ...; then `T` is left out.
    """
    found = _TEMPERATURE.findall(line)
    numbered = any(name not in (b"T", b"B", b"C") for name, _, _ in found)
    return tuple(
        Temperature(name=_heater(name), current_c=float(current), target_c=float(target))
        for name, current, target in found
        if not (numbered and name == b"T")
    )


def _heater(name: bytes) -> str:
    return _HEATERS.get(name) or f"tool{int(name[1:] or b'0')}"
