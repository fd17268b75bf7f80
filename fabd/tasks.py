"""What must reach its end although somebody cancels: a commit, a machine being made safe."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def outlive_cancellation(work: "asyncio.Future[T]") -> T:
    """Await `work` to its end even when we are cancelled meanwhile, however often; then let the cancellation through.

    What `work` raises goes before the cancellation: it says more than that somebody stopped waiting.
    """
    cancelled = await _over(work)
    result = work.result()
    if cancelled is not None:
        raise cancelled
    return result


def own(work: Coroutine[Any, Any, T], name: str) -> "asyncio.Task[T]":
    """A task with a name, so that a stuck one can be told from the others."""
    return asyncio.create_task(work, name=name)


async def end(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel `tasks` and wait until all are over, however often we are cancelled meanwhile.

    What they raised is of no interest any more.
    """
    for task in tasks:
        task.cancel()
    cancelled = await _over(*tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()
    if cancelled is not None:
        raise cancelled


async def _over(*work: "asyncio.Future[Any]") -> asyncio.CancelledError | None:
    """Wait until all of `work` is done; returns the cancellation that came meanwhile, if one did."""
    cancelled: asyncio.CancelledError | None = None
    while not all(future.done() for future in work):
        try:
            await asyncio.wait(work)
        except asyncio.CancelledError as error:
            cancelled = error
    return cancelled
