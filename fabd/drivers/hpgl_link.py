"""The conversation with a cutter: what it is asked, and which of its answers belongs to which question.

There are two kinds of questions. *Immediate* ones, the escape sequences, are answered at once and in order, whatever
waits in the buffer. *Queued* ones are HP-GL commands: they wait in the buffer behind what was sent before, so their
answer proves that all of it was interpreted. Source: HP 7470A Interfacing and Programming Manual, chapter 10 (device
control instructions) and chapter 8 (output instructions); the Roland PNC-900 answers the same.
"""

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass

from fabd.drivers.wire import Wire
from fabd.errors import FabdError, LinkLost, MachineFault
from fabd.tasks import end, own

FREE_BYTES = b"\x1b.B"
STATUS = b"\x1b.O"
TRANSMISSION_ERROR = b"\x1b.E"  # answering it clears the error
ABORT = b"\x1b.K"  # drops what is buffered, and a half command; the motion under way ends
POSITION = b"OA"
COMMAND_ERROR = b"OE"

BUFFER_EMPTY = 8
PANEL_PAUSE = 16
LEVER_UP = 32
OVERFLOW = 16

REPLY_S = 5.0
"""An immediate answer takes as long as the bytes before it: one second for 1 KB at 9600 baud."""


def held(status: int) -> frozenset[str]:
    """Why the machine does nothing though it has work: somebody holds it at its panel, or has opened its lever."""
    if status & LEVER_UP:
        return frozenset({"cover-open"})
    return frozenset({"paused"} if status & PANEL_PAUSE else ())


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """Where the machine says that its tool is, in plotter units."""

    x: int
    y: int
    pen_down: bool


class HpglLink:
    """A cutter on a wire. Every failure is `LinkLost`; `aborted` makes who waits for a position fail."""

    def __init__(self, name: str, wire: Wire) -> None:
        self._name = name
        self._wire = wire
        self._answers: deque[asyncio.Future[str]] = deque()
        self._positions: deque[asyncio.Future[str]] = deque()
        self._lost: FabdError | None = None
        self._reader = own(self._read(), f"replies {name}")

    async def close(self) -> None:
        """Let go of the wire."""
        await end(self._reader)
        self._wire.close()

    def check(self) -> None:
        """Raises `LinkLost` when the wire is known to be gone."""
        if self._lost is not None:
            raise self._lost

    async def send(self, data: bytes) -> None:
        """Send whole commands, in order."""
        self.check()
        await self._wire.write(data)

    async def ask(self, *questions: bytes) -> list[int]:
        """The answers to questions that each give one whole number."""
        answers = [self._expect(self._answers) for _ in questions]
        await self.send(b"".join(questions))
        try:
            async with asyncio.timeout(REPLY_S):
                replies = [await answer for answer in answers]
        except TimeoutError as error:
            raise LinkLost("cutter-silent", wire=self._name, limit_s=REPLY_S) from error
        return [self._number(reply) for reply in replies]

    async def position(self, question: bytes) -> Position:
        """Where the tool is, once all that was sent before is interpreted. Waits as long as that takes."""
        answer = self._expect(self._positions)
        await self.send(question)
        parts = [self._number(part) for part in (await answer).split(",")]
        if len(parts) != 3:
            raise LinkLost("cutter-answer-unreadable", wire=self._name, answer=answer.result())
        return Position(x=parts[0], y=parts[1], pen_down=parts[2] != 0)

    async def abort(self) -> None:
        """Make the machine drop all that it buffered; returns when it has.

        Sent twice, since a cancelled write may have left half an escape sequence, which would swallow the first one.
        """
        await self.send(ABORT + ABORT)
        await self.ask(FREE_BYTES)
        # What was said before has been heard by now, and no answer is to come from the buffer any more.
        for waiting in self._positions:
            if not waiting.done():
                waiting.set_exception(MachineFault("cutter-stopped"))
        self._positions.clear()

    def _expect(self, waiting: deque[asyncio.Future[str]]) -> asyncio.Future[str]:
        self.check()
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        waiting.append(answer)
        return answer

    def _number(self, reply: str) -> int:
        try:
            return round(float(reply))
        except (ValueError, OverflowError) as error:
            raise LinkLost("cutter-answer-unreadable", wire=self._name, answer=reply) from error

    async def _read(self) -> None:
        line = bytearray()
        try:
            while True:
                for byte in await self._wire.read():
                    if byte not in b"\r\n":
                        line.append(byte)
                    elif line:
                        self._hear(line.decode("ascii", "replace").strip())
                        line.clear()
        except LinkLost as error:
            self._lost = error
            for waiting in (*self._answers, *self._positions):
                if not waiting.done():
                    waiting.set_exception(error)

    def _hear(self, reply: str) -> None:
        """Give the reply to its question. One that nobody waits for any more still takes its answer."""
        waiting = self._positions if "," in reply else self._answers
        with suppress(IndexError):  # said without being asked
            question = waiting.popleft()
            if not question.done():
                question.set_result(reply)
