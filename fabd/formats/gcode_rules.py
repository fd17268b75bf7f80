"""Commands that no visitor's file may hold, each with the reason why."""

import re

from fabd.errors import JobRejected
from fabd.formats.gcode_words import code_of, shown

_LASTING = frozenset(
    {
        b"M92",  # steps per millimetre: falsifies every length, the metered one too
        b"M111",  # dry run
        b"M206", b"M428", b"M665", b"M666", b"M851",  # where the machine believes to be
        b"M211", b"M302",  # guards against collisions and cold filament
        b"M301", b"M304",  # heater control
        b"M500", b"M502", b"M504",  # stored settings
        b"M997",  # firmware update
    }
)  # fmt: skip
_STEERING = frozenset(
    {
        b"M23", b"M24", b"M26", b"M28", b"M29", b"M30", b"M32", b"M928",  # the machine's own card
        b"M81",  # power off
        b"M108", b"M110", b"M112", b"M113", b"M410", b"M524", b"M575", b"M876", b"M999",  # how host and machine talk
    }
)  # fmt: skip
_NOT_UNDERSTOOD = frozenset(
    {
        b"G5", b"G6", b"G18", b"G19", b"G38", b"G61",  # curves, other planes, moves to where only the machine knows
        b"M98", b"M808", *(b"M%d" % number for number in range(810, 820)),  # macros and loops
        b"M208", b"M605", b"M701",  # filament that no E word tells of
    }
)  # fmt: skip
_SUBCODES = re.compile(rb"G92\.1|M862\.[0-9]")
_HEXADECIMAL = re.compile(rb"(?!\A)[A-Z][ \t]*[-+]?0X")  # not the code itself: `G0X10`


def check_command(command: bytes, line: int) -> None:
    """Raise `JobRejected` for a command that is none, or that must not reach a machine from a visitor's file.

    Moves that cannot be followed exactly are refused too: what is not understood cannot be metered. So are codes
    with a point that we do not know: a Marlin without `USE_GCODE_SUBCODES` takes `M500.1` for `M500`.
    """
    code = code_of(command)
    whole = code.partition(b".")[0]
    if not code:
        raise JobRejected("gcode-unknown-command", line=line, command=shown(command))
    if whole in _LASTING:
        raise JobRejected("gcode-changes-machine", line=line, command=shown(command))
    if whole in _STEERING:
        raise JobRejected("gcode-steers-host", line=line, command=shown(command))
    if whole in _NOT_UNDERSTOOD or (whole != code and not _SUBCODES.fullmatch(code)):
        raise JobRejected("gcode-not-understood", line=line, command=shown(command))


def check_move(command: bytes, line: int) -> None:
    """Raise `JobRejected` for a move that machines read in different ways.

    `E0X10` is `E0` and `X10` to some, and 16 to others, whose `strtof` knows hexadecimal numbers.
    """
    if b"0X" in command and _HEXADECIMAL.search(command):
        raise JobRejected("gcode-unreadable", line=line, command=shown(command))
