"""What a person at a terminal sees, on a pseudo-terminal."""

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fakes.served import Served
from fakes.shell import Fabd, environment

COIN = str(Path(__file__).parents[2] / "samples" / "coin_slic3r.gcode")


class Terminal:
    """The far end of a terminal at which `fabd` runs."""

    def __init__(self, descriptor: int, process: "subprocess.Popen[bytes]") -> None:
        self._descriptor = descriptor
        self.process = process
        self.seen = ""

    def until(self, text: str) -> None:
        """Read until `text` is on the screen."""
        while text not in self.seen:
            self.seen += os.read(self._descriptor, 65536).decode(errors="replace")

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def rest(self) -> str:
        """Read to the end; a terminal whose last process has gone fails to be read."""
        try:
            while piece := os.read(self._descriptor, 65536):
                self.seen += piece.decode(errors="replace")
        except OSError:
            pass
        return self.seen


@contextmanager
def terminal(*arguments: str, **env: str) -> Iterator[Terminal]:
    here, there = pty.openpty()
    command = [str(Path(sys.executable).with_name("fabd")), *arguments]
    surroundings = environment(**{"TERM": "xterm", **env})
    process = subprocess.Popen(command, stdin=there, stdout=there, stderr=there, env=surroundings)
    os.close(there)
    try:
        yield Terminal(here, process)
    finally:
        process.kill()
        process.wait()
        os.close(here)


def test_a_person_is_asked_and_may_say_no(at: Fabd, counter: Served) -> None:
    with terminal("submit", COIN, FABD_SOCKET=str(counter.socket)) as shown:
        shown.until("Send it? [y/N]")
        assert "€" in shown.seen
        shown.type("\n")
        assert "Nothing was sent." in shown.rest()
        assert shown.process.wait() == 3
    assert at("job", "list", "--all", "--json").out == "[]\n"


def test_a_person_may_say_yes(at: Fabd, counter: Served) -> None:
    with terminal("submit", COIN, FABD_SOCKET=str(counter.socket), FABD_LANG="fr") as shown:
        shown.until("[o/N]")
        shown.type("o\n")
        assert "Le travail 1 est accepté" in shown.rest()
        assert shown.process.wait() == 0


def test_whoever_says_yes_beforehand_is_not_asked(counter: Served) -> None:
    with terminal("submit", COIN, "--yes", FABD_SOCKET=str(counter.socket)) as shown:
        assert "Job 1 is accepted" in shown.rest()
    assert "Send it?" not in shown.seen


def test_a_bar_shows_how_far_it_is(at: Fabd, counter: Served) -> None:
    with terminal("submit", COIN, "--yes", "--wait", FABD_SOCKET=str(counter.socket)) as shown:
        shown.until("Job 1: waiting")
        shown.until("0\u00a0%")
        assert at("job", "cancel", "1").code == 0
        assert "Job 1: canceled." in shown.rest()
        assert shown.process.wait() == 1


def test_watching_is_a_table_that_lives(counter: Served) -> None:
    with terminal("watch", FABD_SOCKET=str(counter.socket)) as shown:
        shown.until("mk4")
        counter.close()
        assert "Machine" in shown.rest()
        assert shown.process.wait() == 0
