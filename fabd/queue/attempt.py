"""One attempt under way, as its driver sees it: a slot for the latest reading, a gate, and a way to ask people."""

import asyncio
from dataclasses import replace
from math import isfinite
from pathlib import Path

from fabd.errors import MachineFault
from fabd.model import Answer, Meter, Phase, Program, Prompt, Reading
from fabd.queue import prompts
from fabd.store import Store


class OpenAttempt:
    """Implements `fabd.drivers.Attempt`.

    `time_scale` is how many seconds a machine lives in one of ours: 1, but for simulated machines that run fast.
    """

    def __init__(
        self,
        *,
        store: Store,
        machine: str,
        attempt_id: int,
        ticket: str,
        program: Program,
        file: Path,
        last: Reading | None,
        time_scale: float = 1.0,
    ) -> None:
        self.row_id = attempt_id
        self.id = f"fabd-{attempt_id}"
        self.ticket = ticket
        self.program = program
        self.file = file
        self._store = store
        self._machine = machine
        self._time_scale = time_scale
        self._loop = asyncio.get_running_loop()
        self._open = asyncio.Event()
        self._open.set()
        self._last = last
        self._machine_s = last.used.get(Meter.MACHINE_S, 0.0) if last is not None else 0.0
        self._driver_counts_time = False
        self._counted_until_s = self._loop.time()
        self._phase = Phase.IDLE  # time passes for the machine from the first reading on

    @property
    def last(self) -> Reading | None:
        """The latest reading, with the machine time that the attempt has counted."""
        return self._last

    def report(self, reading: Reading) -> None:
        """Lay the latest reading into its slot; raises `MachineFault` for one that cannot be true.

        What is laid here is charged for: better an attempt that ends in words than a number that nobody can bill.
        """
        before = self._last.used if self._last is not None else {}
        for meter, quantity in reading.used.items():
            if not isfinite(quantity) or quantity < before.get(meter, 0.0):
                raise MachineFault("reading-impossible", machine=self._machine, meter=meter.value, found=quantity)
        self._count_time(reading.phase)
        self._driver_counts_time = Meter.MACHINE_S in reading.used
        self._last = self._with_time(reading)

    def close(self) -> Reading:
        """The final reading, with the time until now; the machine has stopped."""
        self._count_time(Phase.IDLE)
        return self._with_time(self._last or Reading(phase=Phase.IDLE))

    async def gate(self) -> None:
        """Pass, or wait here while the attempt is paused."""
        await self._open.wait()

    def shut(self) -> None:
        """Make the driver wait at its next gate."""
        self._open.clear()

    def open(self) -> None:
        """Let the driver go on."""
        self._open.set()

    async def ask(self, prompt: Prompt) -> Answer:
        """Ask a person and wait; an answer stored earlier under the same key returns at once."""
        await self._store.transaction(lambda c: prompts.ask(c, self._machine, self.row_id, prompt))
        while True:
            seen = self._store.version
            answer = await self._store.read(lambda c: prompts.answer_of(c, self.row_id, prompt.key))
            if answer is not None:
                return answer
            await self._store.changed(seen)

    def _with_time(self, reading: Reading) -> Reading:
        if self._driver_counts_time:
            return reading
        return replace(reading, used={**reading.used, Meter.MACHINE_S: self._machine_s})

    def _count_time(self, phase: Phase) -> None:
        now_s = self._loop.time()
        if self._phase.is_machine_time:
            self._machine_s += (now_s - self._counted_until_s) * self._time_scale
        self._phase, self._counted_until_s = phase, now_s
