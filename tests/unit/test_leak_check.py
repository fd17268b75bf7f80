"""The checks of `conftest` see what they are for: run on tests that leave something behind."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
LEAKING = """
import asyncio, os, subprocess, threading, time
kept = []
async def test_task(): kept.append(asyncio.create_task(asyncio.sleep(9), name="the task"))
def test_descriptor(): kept.append(os.open("/dev/zero", os.O_RDONLY))
def test_thread(): threading.Thread(target=time.sleep, args=(9,), name="the thread", daemon=True).start()
def test_child(): kept.append(subprocess.Popen(["sleep", "2"]))
async def test_tidy_thread(): await asyncio.to_thread(time.sleep, 0)
async def test_tidy_child(): await (await asyncio.create_subprocess_exec("true")).wait()
def test_tidy_file(tmp_path): (tmp_path / "x").write_text("x")
"""
SKIPPING = """
import pytest
def test_skipped(): pytest.skip("no such component")
@pytest.mark.xfail(strict=True)
def test_expected_to_fail(): assert False
"""
SKIPPING_ITSELF = "import pytest; pytest.skip('no such component', allow_module_level=True)"


def report(directory: Path, tests: str, **environment: str) -> str:
    """What pytest says of `tests` under our own conftest and settings."""
    shutil.copy(TESTS / "conftest.py", directory)
    shutil.copy(TESTS.parent / "pyproject.toml", directory)
    (directory / "test_it.py").write_text(tests)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_it.py"],
        cwd=directory,
        env={name: value for name, value in os.environ.items() if name != "FABD_REQUIRE_ALL"} | environment,
        capture_output=True,
        text=True,
        check=False,
    ).stdout


def test_what_is_left_behind_fails_the_test_and_what_tidies_up_passes(tmp_path: Path) -> None:
    said = report(tmp_path, LEAKING)
    assert "7 passed, 4 errors in" in said
    assert "ERROR test_it.py::test_task - Failed: tasks left running: the task" in said
    assert "ERROR test_it.py::test_descriptor - Failed: left behind: descriptor" in said
    assert "ERROR test_it.py::test_thread - Failed: left behind: thread the thread" in said
    assert "ERROR test_it.py::test_child - Failed: left behind: child process" in said


def test_a_skip_is_a_failure_only_where_all_is_required(tmp_path: Path) -> None:
    assert "1 skipped, 1 xfailed in" in report(tmp_path, SKIPPING)
    said = report(tmp_path, SKIPPING, FABD_REQUIRE_ALL="1")
    assert "1 failed, 1 xfailed in" in said
    assert "no such component" in said


def test_a_file_that_skips_itself_is_a_failure_where_all_is_required(tmp_path: Path) -> None:
    assert "1 error in" in report(tmp_path, SKIPPING_ITSELF, FABD_REQUIRE_ALL="1")
