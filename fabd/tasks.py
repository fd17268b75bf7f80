"""What must reach its end although somebody cancels: a commit, a machine being made safe."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def outlive_cancellation(work: "asyncio.Future[T]") -> T:
    """Await `work` to its end even when we are cancelled meanwhile, however often; then let the cancellation through."""
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as error:
            cancelled = error
    result = work.result()  # a failure of the work says more than that somebody stopped waiting for it
    if cancelled is not None:
        raise cancelled
    return result


def own(work: Coroutine[Any, Any, T], name: str) -> "asyncio.Task[T]":
    """A task with a name, so that a stuck one can be told from the others."""
    return asyncio.create_task(work, name=name)


async def end(task: "asyncio.Task[Any]") -> None:
    """Cancel `task` and wait until it is over; what it raised is of no interest any more."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()
