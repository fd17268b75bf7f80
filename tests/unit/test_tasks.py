"""What must reach its end does, however often somebody cancels."""

import asyncio

import pytest

from fabd.tasks import end, outlive_cancellation, own


async def cancel_often(task: "asyncio.Task[object]") -> None:
    for _ in range(5):
        task.cancel()
        await asyncio.sleep(0)


async def test_work_reaches_its_end_and_the_cancellation_comes_through_after_it() -> None:
    go_on, done = asyncio.Event(), []

    async def work() -> None:
        await go_on.wait()
        done.append(True)

    task = own(outlive_cancellation(own(work(), "work")), "waiting")
    await asyncio.sleep(0)
    await cancel_often(task)
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == [True]


async def test_what_the_work_raises_goes_before_the_cancellation() -> None:
    go_on = asyncio.Event()

    async def work() -> None:
        await go_on.wait()
        raise RuntimeError("the disk is full")

    task = own(outlive_cancellation(own(work(), "work")), "waiting")
    await asyncio.sleep(0)
    await cancel_often(task)
    go_on.set()
    with pytest.raises(RuntimeError, match="disk"):
        await task


async def test_ending_waits_until_all_have_put_their_things_away_however_often_it_is_cancelled() -> None:
    go_on, put_away = asyncio.Event(), []

    async def work(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await go_on.wait()
            put_away.append(name)

    works = [own(work(name), name) for name in ("a", "b")]
    await asyncio.sleep(0)
    task = own(end(*works), "ending")
    await asyncio.sleep(0)
    await cancel_often(task)
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(put_away) == ["a", "b"]


async def test_what_an_ended_task_raised_is_of_no_interest() -> None:
    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise RuntimeError

    task = own(work(), "work")
    await asyncio.sleep(0)
    await end(task)
    await end()
    assert task.done()
