"""Which numbered lines are wanted, sent and acknowledged: go-back-N over Marlin's line numbers. No clock, no wire."""

from fabd.drivers.marlin_lines import frame
from fabd.errors import MachineFault

WINDOW = 1
"""Lines under way: one waits for its `ok` before the next one goes."""
HISTORY = 64
MOST_RESENDS = 10
"""How often in a row the same line may be asked for."""


class LineWindow:
    """A line keeps its number and its bytes for ever: a resend goes back in the history, and nothing is renumbered.

    `acknowledged` <= `sent` <= `wanted`, all line numbers.
    """

    def __init__(self) -> None:
        self.wanted = self.sent = self.acknowledged = 0
        self._frames: dict[int, bytes] = {}
        self._resent = (0, 0)  # the line that was asked for last, and how often in a row

    def renumber(self, last: int) -> None:
        """The machine was told to take `last + 1` next, and has taken all before."""
        self.wanted = self.sent = self.acknowledged = last
        self._frames.clear()

    def add(self, command: bytes) -> int:
        """Want `command` sent; returns its number."""
        self.wanted = number = self.wanted + 1
        self._frames[number] = frame(number, command)
        self._frames.pop(number - HISTORY, None)
        return number

    def next_frame(self) -> bytes | None:
        """The bytes to send now, counted as sent; `None` while the window is full."""
        if self.sent == self.wanted or self.sent - self.acknowledged >= WINDOW:
            return None
        self.sent += 1
        return self._frames[self.sent]

    def take_ok(self) -> None:
        """The machine has taken the oldest line under way. An `ok` that belongs to no line changes nothing."""
        if self.acknowledged < self.sent:
            self.acknowledged += 1

    def rewind(self, asked: int) -> None:
        """Go back to the line `asked`; what lies below, the machine has.

        Raises `MachineFault` when no such line was sent lately, or when it is asked for over and over.
        """
        last, times = self._resent
        self._resent = (asked, times + 1 if asked == last else 1)
        if self._resent[1] > MOST_RESENDS:
            raise MachineFault("marlin-resend-loop", number=asked, times=MOST_RESENDS)
        if asked != self.sent + 1 and (asked not in self._frames or asked > self.sent):
            raise MachineFault("marlin-resend-unknown", number=asked)
        self.sent = self.acknowledged = asked - 1

    @property
    def awaited(self) -> bytes | None:
        """The frame whose `ok` comes next; `None` when nothing is under way."""
        return self._frames[self.acknowledged + 1] if self.acknowledged < self.sent else None

    def was_sent(self, heard: bytes) -> bool:
        """Whether `heard` begins as a line of ours does, with its number or without; a line's damaged tail does not."""
        return any(
            line.startswith(heard) or line.partition(b" ")[2].startswith(heard) for line in self._frames.values()
        )
