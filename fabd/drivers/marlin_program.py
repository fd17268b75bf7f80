"""A G-code file as the commands that are sent: cut from chunks, so that no file is ever in memory as a whole."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from fabd.drivers.marlin_lines import LONGEST_FRAME_BYTES
from fabd.errors import JobRejected
from fabd.formats.gcode_rules import check_command
from fabd.formats.gcode_words import code_of, command_of
from fabd.model import Message, Prompt

CHUNK_BYTES = 65_536
LONGEST_COMMAND_BYTES = LONGEST_FRAME_BYTES - len("N9999999 *255")
"""What is left of a frame beside a line number of seven digits and the checksum."""

STOP_AND_WAIT = frozenset({b"M0", b"M1", b"M601"})
CHANGE_FILAMENT = frozenset({b"M600"})

_CODE = re.compile(rb"^M\d+")
# A backslash escapes in Marlin and a control character may end the line, so that the checksum no longer fits.
_UNSENDABLE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f\\]")


class Command(NamedTuple):
    """One command: `end` is the offset in the file behind its line, `line` the line's number, from 1."""

    text: bytes
    end: int
    line: int


class Cutter:
    """Cuts a file that comes in chunks into commands; lines without one are passed over."""

    def __init__(self) -> None:
        self._rest = b""
        self._end = 0
        self._line = 0

    def cut(self, chunk: bytes) -> Iterator[Command]:
        """The commands that are complete with `chunk`. Raises `JobRejected` where a line is no line."""
        lines = (self._rest + chunk).split(b"\n")
        self._rest = lines.pop()
        for raw in lines:
            self._end += 1
            command = self._command(raw)
            if command is not None:
                yield command
        if len(self._rest) > CHUNK_BYTES:
            if not self._rest.lstrip().startswith(b";"):
                raise JobRejected("marlin-line-too-long", line=self._line + 1, limit=LONGEST_COMMAND_BYTES)
            self._end += len(self._rest) - 1  # of an endless comment only the length matters
            self._rest = b";"

    def finish(self) -> Iterator[Command]:
        """The command of a last line without an end, if there is one."""
        command = self._command(self._rest)
        if command is not None:
            yield command

    def _command(self, raw: bytes) -> Command | None:
        self._line += 1
        self._end += len(raw)
        text = command_of(raw, self._line)
        return Command(text, self._end, self._line) if text else None


def refuse_unsendable(file: Path) -> None:
    """Read all of `file`; raises `JobRejected` with the line that cannot or must not be sent. Blocks: for a thread.

    Whatever was found out when the job was brought, no `M110` or `M112` may reach the machine in the middle of a piece.
    """
    cutter = Cutter()
    with file.open("rb") as source:
        for chunk in _chunks(source):
            for command in cutter.cut(chunk):
                _refuse(command)
    for command in cutter.finish():
        _refuse(command)


def _chunks(source: BinaryIO) -> Iterator[bytes]:
    while chunk := source.read(CHUNK_BYTES):
        yield chunk


def _refuse(command: Command) -> None:
    text = command.text
    if len(text) > LONGEST_COMMAND_BYTES:
        raise JobRejected("marlin-line-too-long", line=command.line, limit=LONGEST_COMMAND_BYTES)
    if _UNSENDABLE.search(text):
        raise JobRejected("marlin-line-not-text", line=command.line)
    check_command(text, command.line)


def prompt_of(command: Command) -> Prompt | None:
    """What a person must do where the program says so: `M0`, `M1`, `M601` wait, `M600` changes the filament.

    These are never sent: Marlin would wait for its own button and hear nothing else meanwhile.
    """
    code = code_of(command.text)
    if code in CHANGE_FILAMENT:
        message = Message(code="marlin-prompt-filament", params={"line": command.line})
    elif code in STOP_AND_WAIT:
        text = _CODE.sub(b"", command.text).decode("utf-8", "replace").strip()
        message = Message(code="marlin-prompt-stop", params={"line": command.line, "text": text})
    else:
        return None
    return Prompt(key=f"line-{command.line}", message=message, choices=("continue",))
