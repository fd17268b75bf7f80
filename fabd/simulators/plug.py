"""The plug between a simulated machine and a driver: bytes in memory, time from the loop."""

import asyncio
from typing import ClassVar, Protocol

from fabd.errors import LinkLost


class SimulatedMachine(Protocol):
    """Physics and dialect of a machine, as a pure step of time. Times are seconds of the caller's clock."""

    def step(self, now_s: float, received: bytes = b"") -> bytes:
        """Let time pass until `now_s`, then take `received`; returns what the machine says.

        Called with times that never fall. The machine does all that was due until `now_s` first.
        """
        ...

    def next_s(self) -> float | None:
        """When the machine wants to be stepped again though nobody speaks to it; `None`: never."""
        ...

    def plugged(self, now_s: float) -> bytes:
        """Somebody opened the wire; returns what the machine says on its own (a Marlin resets: `start`)."""
        ...


class MemoryWire:
    """A `Wire` to a simulated machine in this process."""

    _plugged: ClassVar[dict[int, "MemoryWire"]] = {}

    def __init__(self, name: str, machine: SimulatedMachine) -> None:
        self._name = name
        self._machine = machine
        self._loop = asyncio.get_running_loop()
        self._said = bytearray()
        self._heard = asyncio.Event()
        self._alarm: asyncio.TimerHandle | None = None
        self._open = True
        if (other := self._plugged.get(id(machine))) is not None:
            other.close()
        self._plugged[id(machine)] = self
        self._take(machine.plugged(self._loop.time()))

    async def read(self) -> bytes:
        while not self._said:
            self._check()
            self._heard.clear()
            await self._heard.wait()
        self._check()
        data = bytes(self._said)
        self._said.clear()
        return data

    async def write(self, data: bytes) -> None:
        self._check()
        self._take(self._machine.step(self._loop.time(), data))
        await asyncio.sleep(0)  # as with a real descriptor, others get their turn

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        if self._alarm is not None:
            self._alarm.cancel()
        if self._plugged.get(id(self._machine)) is self:
            del self._plugged[id(self._machine)]
        self._heard.set()

    def _take(self, said: bytes) -> None:
        if said:
            self._said += said
            self._heard.set()
        if self._alarm is not None:
            self._alarm.cancel()
        due_s = self._machine.next_s()
        self._alarm = None if due_s is None else self._loop.call_at(due_s, self._due)

    def _due(self) -> None:
        self._take(self._machine.step(self._loop.time()))

    def _check(self) -> None:
        if not self._open:
            raise LinkLost("wire-closed", wire=self._name)
