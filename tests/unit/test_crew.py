"""The tasks that a daemon lives by."""

import asyncio

import pytest

from fabd.crew import Crew
from fabd.tasks import own


async def for_ever() -> None:
    await asyncio.Event().wait()


async def fall(go: asyncio.Event) -> None:
    await go.wait()
    raise RuntimeError("out of paper")


async def test_one_that_falls_is_named_with_its_reason() -> None:
    go = asyncio.Event()
    async with Crew() as crew:
        crew.hire("good", for_ever())
        failed = own(crew.failed(), "failed")
        await asyncio.sleep(0)
        crew.hire("late", fall(go))  # also one that came after the watch began
        go.set()
        with pytest.raises(RuntimeError, match="late ended") as caught:
            await failed
        assert str(caught.value.__cause__) == "out of paper"


async def test_one_that_returns_has_failed_too() -> None:
    async with Crew() as crew:
        crew.hire("short", asyncio.sleep(0))
        with pytest.raises(RuntimeError, match="short ended"):
            await crew.failed()


async def test_one_that_is_dismissed_has_not_failed_and_needs_no_second_end() -> None:
    async with Crew() as crew:
        crew.hire("good", for_ever())
        crew.hire("other", for_ever())
        failed = own(crew.failed(), "failed")
        await asyncio.sleep(0)
        await crew.dismiss("good")
        await crew.dismiss("good")
        for _ in range(5):
            await asyncio.sleep(0)
        assert not failed.done()
        failed.cancel()
        await asyncio.wait([failed])


async def test_leaving_waits_for_everybody_however_often_it_is_cancelled() -> None:
    go_on, put_away = asyncio.Event(), []

    async def work() -> None:
        try:
            await for_ever()
        finally:
            await go_on.wait()
            put_away.append(True)

    async def whole() -> None:
        async with Crew() as crew:
            crew.hire("a", work())
            crew.hire("b", work())
            await for_ever()

    task = own(whole(), "whole")
    for _ in range(5):
        await asyncio.sleep(0)
        task.cancel()
    go_on.set()
    await asyncio.wait([task])
    assert put_away == [True, True]
