"""How a Marlin takes lines: its receive buffer, line numbers and checksums, its emergency parser.

Marlin 2.1: queue.cpp (`get_serial_commands`, `process_stream_char`, `gcode_line_error`), e_parser.cpp.
"""

import re
from functools import reduce
from operator import xor

RECEIVE_BYTES = 127  # RX_BUFFER_SIZE 128, less the one that tells full from empty
LINE_BYTES = 95  # MAX_CMD_SIZE 96, less the terminating zero

_NUMBER = re.compile(rb"\s*(-?\d+)")
_CHECKSUM = re.compile(rb"\s*(-?\d+)")
_EMERGENCY = re.compile(rb"[ ]*(?:N[-0-9 ]*)?(M108|M112|M410)(?!\d)")


class LineRefused(Exception):
    """A line that Marlin asks for again; its text is what Marlin says behind `Error:`."""


class Receiver:
    """The bytes that arrived and were not looked at, and the number of the last line that was taken."""

    def __init__(self) -> None:
        self.last_number = 0
        self.lost_bytes = 0
        self._waiting = bytearray()
        self._emergency_line = b""

    def arrive(self, data: bytes) -> list[bytes]:
        """Bytes come in; returns what the emergency parser finds among them: `M108`, `M112`, `M410`."""
        self._waiting += data
        *lines, self._emergency_line = (self._emergency_line + data).replace(b"\r", b"\n").split(b"\n")
        return [found[1] for line in lines if (found := _EMERGENCY.match(line)) is not None]

    def overflow(self) -> None:
        """Nobody takes lines now: what the buffer cannot hold is lost, without a word."""
        self.lost_bytes += max(len(self._waiting) - RECEIVE_BYTES, 0)
        del self._waiting[RECEIVE_BYTES:]

    def flush(self) -> None:
        self._waiting.clear()

    def take_line(self) -> bytes | None:
        """The next line that is complete and not empty."""
        while (end := self._end_of_line()) >= 0:
            line = bytes(self._waiting[:end]).partition(b";")[0][:LINE_BYTES]
            del self._waiting[: end + 1]
            if line:
                return line
        return None

    def accept(self, line: bytes) -> str | None:
        """The command in `line`; `None` for one that was taken before, which is passed over in silence.

        Raises `LineRefused` where number or checksum do not fit.
        """
        line = line.lstrip(b" ")
        if not line.startswith(b"N"):
            return _command(line)
        renumbers = b"M110" in line
        place = line.find(b"N", 4) if renumbers else 0
        number = _number_at(line, max(place, 0))
        if number in (self.last_number - 1, self.last_number) and not renumbers:
            return None
        if number != self.last_number + 1 and not renumbers:
            raise LineRefused(f"Line Number is not Last Line Number+1, Last Line: {self.last_number}")
        text, star, checksum = line.rpartition(b"*")
        if not star:
            raise LineRefused(f"No Checksum with line number, Last Line: {self.last_number}")
        found = _CHECKSUM.match(checksum)
        if (0 if found is None else int(found[1])) != reduce(xor, text, 0):
            raise LineRefused(f"checksum mismatch, Last Line: {self.last_number}")
        self.last_number = number
        return _command(line)

    def _end_of_line(self) -> int:
        ends = [end for end in (self._waiting.find(b"\n"), self._waiting.find(b"\r")) if end >= 0]
        return min(ends, default=-1)


def _number_at(line: bytes, place: int) -> int:
    found = _NUMBER.match(line, place + 1)
    return 0 if found is None else int(found[1])


def _command(line: bytes) -> str:
    """What the parser sees: no number, no checksum (`GCodeParser::parse`)."""
    text = re.sub(rb"^N-?\d*[ ]*", b"", line).partition(b"*")[0]
    return text.decode("latin-1").strip()
