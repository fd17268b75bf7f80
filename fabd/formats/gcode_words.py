"""G-code as bytes: what of a line is a command, and the words of a command.

True to Marlin 2.1 (`Marlin/src/gcode/parser.cpp`, `queue.cpp`): a comment runs from `;` to the end of the line,
a letter is followed by its number with or without spaces, and an exponent does not exist: `E` is always a word.
Beyond Marlin, comments in parentheses are understood, as Marlin does when built with `PAREN_COMMENTS`.
"""

import re
from functools import reduce
from operator import xor

from fabd.errors import JobRejected

LIMIT = 1e6
"""No coordinate, length, speed or temperature reaches this; a number beyond it is an accident or an attack."""

Words = dict[bytes, bytes]
"""Letter -> its number as it is written, empty where there is none."""

TEXT_COMMANDS = frozenset({b"M16", b"M23", b"M28", b"M30", b"M32", b"M117", b"M118", b"M928"})
"""Commands that take the rest of their line as text (`GCodeParser::parse`, `string_arg`)."""

_LETTERS = frozenset(bytes([letter]) for letter in range(ord("A"), ord("Z") + 1))
_WORD = re.compile(rb"([A-Z]|[^\sA-Z])[ \t]*([-+.0-9]*)")
_PARENTHESES = re.compile(rb"\([^()]*\)")
_NUMBERED = re.compile(rb"[Nn][ \t]*-?[0-9]+[ \t]*")
_CHECKSUM = re.compile(rb"\*[ \t]*([0-9]{1,3})[ \t]*\Z")
_CODE = re.compile(rb"([GMT])[ \t]*0*([0-9]+(?:\.[0-9]+)?)")
_EXPONENT = re.compile(rb"[A-Z][^a-z]*[0-9.]e[-+]?[0-9]")
_BOM = b"\xef\xbb\xbf"


def command_of(raw: bytes, line: int = 0) -> bytes:
    """What a machine is to be sent of the line `raw`: no comment, line number, checksum or space around; may be empty.

    Letters come out as capitals, which are all that Marlin reads unless it is built with
    `GCODE_CASE_INSENSITIVE`; only text (`M117 Hello`) keeps its own. `line` is the line's number, for the message.

    Raises `JobRejected` when the line carries a checksum that does not fit it, or a small `e` among capitals: an
    exponent for some machines, the extruder for others.
    """
    if b";" in raw:
        raw = raw[: raw.index(b";")]
    command = raw.strip()
    if command[:1] not in (b"G", b"M", b"T"):
        command = _without_number(command.removeprefix(_BOM).strip(), line)
    if command[:1] in (b"M", b"m") and code_of(command[:8].upper()) in TEXT_COMMANDS:
        return b"M" + command[1:]
    if b"(" in command:
        command = _PARENTHESES.sub(b"", command).strip()
    if b"*" in command:
        command = command[: command.index(b"*")].rstrip()
    capitals = command.upper()
    if capitals != command and _EXPONENT.search(command):
        raise JobRejected("gcode-unreadable", line=line, command=shown(command))
    return capitals


def words_of(command: bytes) -> Words:
    """The words of a command as `command_of` gives it.

    Raises `ValueError` where something is no word, or a letter comes twice: firmwares differ in which one counts.
    """
    found = _WORD.findall(command)
    words = dict(found)
    if len(words) != len(found) or not words.keys() <= _LETTERS:
        raise ValueError("something that is no word, or one word twice")
    return words


def code_of(command: bytes) -> bytes:
    """What a command is, without leading zeros: `G1`, `G92.1`, `M104`; `T` for each tool; empty where it is none."""
    code = _CODE.match(command)
    if code is None:
        return b""
    letter, number = code.groups()
    return b"T" if letter == b"T" else letter + number


def number_of(text: bytes) -> float:
    """The number of a word. Raises `ValueError` where there is none, or one beyond `LIMIT`."""
    number = float(text)
    if not -LIMIT < number < LIMIT:
        raise ValueError("a number beyond all measure")
    return number


def shown(command: bytes) -> str:
    """The beginning of a command, as a message may quote it."""
    text = command.decode("ascii", "replace")
    text = "".join(character if character.isprintable() else "�" for character in text)
    return text if len(text) <= 40 else f"{text[:40]}..."


def _without_number(command: bytes, line: int) -> bytes:
    """`N12 G28*18` -> `G28`. The checksum is the XOR of all bytes before the `*` (RepRap wiki, "G-code: Checking")."""
    number = _NUMBERED.match(command)
    if number is None:
        return command
    checksum = _CHECKSUM.search(command)
    if checksum is None:
        return command[number.end() :]
    if reduce(xor, command[: checksum.start()], 0) != int(checksum.group(1)):
        raise JobRejected("gcode-checksum", line=line)
    return command[number.end() : checksum.start()].rstrip()
