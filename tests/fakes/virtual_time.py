"""A loop whose clock jumps to the next timer instead of waiting: an afternoon of cutting runs in a moment."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _JumpingSelector(selectors.DefaultSelector):
    """Where the loop would wait for a timer, time passes instead; it waits for threads and wires as ever."""

    skipped_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(None if timeout is None else 0)
        if not ready and timeout is not None:
            self.skipped_s += max(timeout, 0.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its time begins at 0, and passes only where nothing else is to do."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.skipped_s


def run_in_virtual_time(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end; fails if it leaves a task behind."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:

        async def whole() -> T:
            result = await work
            left = [task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()}]
            assert not left, f"tasks left running: {left}"
            return result

        return runner.run(whole())
