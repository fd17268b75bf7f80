"""Commands that no visitor's file may hold, each with the reason why."""

from fabd.errors import JobRejected
from fabd.formats.gcode_words import code_of, shown

_LASTING = frozenset(
    {
        b"M92",  # steps per millimetre: falsifies every length, also the metered one
        b"M500", b"M502", b"M504",  # the machine's stored settings
        b"M997",  # firmware update
    }
)  # fmt: skip
_STEERING = frozenset(
    {
        b"M23", b"M24", b"M26", b"M28", b"M29", b"M30", b"M32", b"M928",  # the machine's own card
        b"M108", b"M110", b"M112", b"M410", b"M524", b"M876", b"M999",  # the conversation between host and machine
    }
)  # fmt: skip
_NOT_UNDERSTOOD = frozenset(
    {
        b"G5", b"G5.1", b"G6", b"G12.1", b"G18", b"G19", b"G38.2", b"G38.3", b"G38.4", b"G38.5", b"G61", b"G92.9",
        b"M98", b"M808",
    }
)  # fmt: skip


def check_command(command: bytes, line: int) -> None:
    """Raise `JobRejected` for a command that is none, or that must not reach a machine from a visitor's file.

    Moves that cannot be followed exactly are refused too: what is not understood cannot be metered.
    """
    code = code_of(command)
    if not code:
        raise JobRejected("gcode-unknown-command", line=line, command=shown(command))
    if code in _LASTING:
        raise JobRejected("gcode-changes-machine", line=line, command=shown(command))
    if code in _STEERING:
        raise JobRejected("gcode-steers-host", line=line, command=shown(command))
    if code in _NOT_UNDERSTOOD:
        raise JobRejected("gcode-not-understood", line=line, command=shown(command))
