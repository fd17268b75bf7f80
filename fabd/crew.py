"""The tasks that a daemon lives by: each has a name, and when one ends that should not, the daemon ends."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Never, Self

from fabd.tasks import end, own


class Crew:
    """Named tasks that never return. Enter it, let them work, leave it: they are cancelled, and awaited."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await end(*self._tasks.values())

    def hire(self, name: str, work: Coroutine[Any, Any, Any]) -> None:
        """Begin `work`."""
        self._tasks[name] = own(work, name)
        self._changed.set()

    async def dismiss(self, name: str) -> None:
        """End one, and wait until it has put everything away; one that is not there needs no end."""
        if name in self._tasks:
            await end(self._tasks.pop(name))

    async def failed(self) -> Never:
        """Wait until one ends of itself; raises `RuntimeError`, from what it raised."""
        while True:
            self._changed.clear()
            changed = own(self._changed.wait(), "crew changed")
            try:
                await asyncio.wait([changed, *self._tasks.values()], return_when=asyncio.FIRST_COMPLETED)
            finally:
                await end(changed)
            for name, task in self._tasks.items():
                if task.done():
                    raise RuntimeError(f"{name} ended") from (None if task.cancelled() else task.exception())
