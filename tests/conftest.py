"""What holds for all tests: nothing is left behind, and in CI nothing is skipped."""

import asyncio
import gc
import os
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from inspect import iscoroutinefunction
from pathlib import Path

import pytest

REQUIRE_ALL = os.environ.get("FABD_REQUIRE_ALL") == "1"
"""Every component is required: a test that is skipped for lack of one has failed."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _fail_if_skipped(report)
    return report


def _fail_if_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    if REQUIRE_ALL and report.outcome == "skipped" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} was skipped, and FABD_REQUIRE_ALL is set: {report.longrepr}"


def pytest_itemcollected(item: pytest.Item) -> None:
    # First in, last out: what the test's own fixtures tidy up is gone when these two look, and the loop's own threads
    # are gone when the second one does.
    if isinstance(item, pytest.Function) and iscoroutinefunction(item.function):
        item.fixturenames.insert(item.fixturenames.index("nothing_left") + 1, "no_task_left")


@pytest.fixture
async def no_task_left() -> AsyncIterator[None]:
    """Fails a test after which a task still runs; the loop would cancel it without a word."""
    yield
    left = asyncio.all_tasks() - {asyncio.current_task()}
    if left:
        pytest.fail("tasks left running: " + ", ".join(sorted(task.get_name() for task in left)), pytrace=False)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Fails a test that leaves descriptors open, threads running or child processes behind."""
    descriptors, threads, children = _descriptors(), set(threading.enumerate()), _children()
    yield
    left = []
    if _descriptors() - descriptors:
        gc.collect()  # what only waits for the collector is no leak
        left += [f"descriptor {number} of {target}" for number, target in _descriptors() - descriptors]
    for thread in set(threading.enumerate()) - threads:
        thread.join(1.0)  # one that is on its way out is no leak
        left += [f"thread {thread.name}"] if thread.is_alive() else []
    left += [f"child process {name}" for name in _children() - children]
    if left:
        pytest.fail("left behind: " + ", ".join(sorted(left)), pytrace=False)


def _descriptors() -> set[tuple[str, str]]:
    """Each open descriptor of this process with what it leads to."""
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            found.add((descriptor.name, str(descriptor.readlink())))
        except FileNotFoundError:  # the one that listed the directory
            continue
    return found


def _children() -> set[str]:
    """Each child of this process, also one that has ended and was not waited for: its id and name."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return set()
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            process, rest = stat.read_text().rsplit(")", 1)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(rest.split()[1]) == os.getpid():
            found.add(process.replace(" (", " "))
    return found
