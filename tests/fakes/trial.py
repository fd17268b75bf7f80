"""The house around a driver, as small as a test can have it: one attempt, its readings, and who answers prompts."""

import asyncio
import itertools
from pathlib import Path

from fabd.drivers import Answer, Program, Prompt, Reading


class TrialAttempt:
    """An attempt whose prompts are answered from `answers`, by key; an answer may also be given later."""

    def __init__(self, program: Program, file: Path, *, ticket: str = "K7", last: Reading | None = None) -> None:
        self.id = "trial-1"
        self.ticket = ticket
        self.program = program
        self.file = file
        self.last = last
        self.readings: list[Reading] = []
        self.reported_at_s: list[float] = []
        self.asked: list[Prompt] = []
        self._answers: dict[str, Answer] = {}
        self._news = asyncio.Event()
        self._open = asyncio.Event()
        self._open.set()

    def report(self, reading: Reading) -> None:
        self.last = reading
        self.readings.append(reading)
        self.reported_at_s.append(asyncio.get_running_loop().time())
        self._news.set()

    async def gate(self) -> None:
        await self._open.wait()

    async def ask(self, prompt: Prompt) -> Answer:
        if prompt.key not in [asked.key for asked in self.asked]:
            self.asked.append(prompt)
        while prompt.key not in self._answers:
            self._news.clear()
            await self._news.wait()
        return self._answers[prompt.key]

    def answer(self, key: str, choice: str, number: int | None = None) -> None:
        self._answers[key] = Answer(choice=choice, number=number)
        self._news.set()

    def shut(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    def longest_silence_s(self) -> float:
        """The longest time between two reports."""
        times = self.reported_at_s
        return max((later - sooner for sooner, later in itertools.pairwise(times)), default=0.0)
