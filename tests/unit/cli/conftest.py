import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from fakes.served import Served, served
from fakes.shell import Fabd, Outcome, environment

LOCALE = Path(__file__).parents[3] / "fabd" / "locale"


@pytest.fixture
def fabd() -> Fabd:
    """Runs the command, as a script would: without a terminal."""

    def run(*arguments: str, stdin: bytes = b"", **env: str) -> Outcome:
        command = [str(Path(sys.executable).with_name("fabd")), *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, env=environment(**env), check=False)
        return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as counter:
        yield counter


@pytest.fixture
def at(counter: Served, fabd: Fabd) -> Fabd:
    """Runs the command at the counter of an open café."""

    def run(*arguments: str, stdin: bytes = b"", **env: str) -> Outcome:
        return fabd(*arguments, stdin=stdin, FABD_SOCKET=str(counter.socket), **env)

    return run


@pytest.fixture(scope="session", autouse=True)
def compiled() -> None:
    """The translations as an installation has them."""
    for source in LOCALE.glob("*/LC_MESSAGES/*.po"):
        compiled = source.with_suffix(".mo")
        if not compiled.exists() or compiled.stat().st_mtime < source.stat().st_mtime:
            with source.open("rb") as text, compiled.open("wb") as out:
                write_mo(out, read_po(text))
