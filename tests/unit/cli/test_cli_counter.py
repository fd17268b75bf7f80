"""A facilitator at the counter: real commands, a real daemon, a real house."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from fakes.served import Served
from fakes.shell import Fabd, Outcome, environment

SAMPLES = Path(__file__).parents[2] / "samples"
COIN = str(SAMPLES / "coin_slic3r.gcode")


def data(outcome: Outcome) -> Any:
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


@pytest.fixture
def alice(at: Fabd) -> None:
    for command in ("member add alice --name Alice", "member grant alice printer autonomous", "machine ready mk4"):
        assert at(*command.split()).code == 0


@pytest.mark.parametrize("noun", ["job", "machine", "prompt", "member", "usage"])
def test_a_list_is_an_array_for_scripts(at: Fabd, noun: str) -> None:
    assert isinstance(data(at(noun, "list", "--json")), list)


def test_options_stand_where_a_user_puts_them(fabd: Fabd, counter: Served) -> None:
    socket = str(counter.socket)
    for arguments in (
        ("--json", "--socket", socket, "machine", "list"),
        ("machine", "--json", "--socket", socket, "list"),
        ("machine", "list", "--json", "--socket", socket),
        ("--socket", "/nonexistent", "machine", "list", "--socket", socket, "--json"),
    ):
        assert [machine["id"] for machine in data(fabd(*arguments))] == ["mk4"]


def test_the_facilitator_in_person_is_named_before_and_after(at: Fabd) -> None:
    at("member", "add", "lea", "--facilitator")
    for number, arguments in enumerate([("--as", "lea", "member", "add"), ("member", "add", "--as", "lea")]):
        assert at(*arguments, f"m{number}").code == 0
    assert at("member", "add", "m3", FABD_AS="lea").code == 0
    assert at("member", "add", "m4", FABD_AS="m3").code == 3


@pytest.mark.usefixtures("alice")
def test_a_quote_is_a_table_with_a_price(at: Fabd) -> None:
    told = at("quote", COIN, "--for", "alice")
    assert told.code == 0
    assert "€" in told.out
    assert "May start as soon as a machine is free." in told.out
    assert "These are the prices of the example tariff, not the café's own." in told.out
    assert data(at("job", "list", "--all", "--json")) == []


@pytest.mark.usefixtures("alice")
def test_money_is_written_as_the_reader_writes_it(at: Fabd) -> None:
    cents = data(at("quote", COIN, "--for", "alice", "--json"))["total_ttc_cents"]
    euros, rest = divmod(cents, 100)
    assert f"€{euros}.{rest:02}" in at("quote", COIN, "--for", "alice").out
    assert f"{euros},{rest:02}\u00a0€" in at("quote", COIN, "--for", "alice", FABD_LANG="fr").out


@pytest.mark.usefixtures("alice")
def test_a_job_is_made_and_ends_with_its_price(at: Fabd) -> None:
    told = at("submit", COIN, "--for", "alice", "--wait")
    assert told.code == 0
    job = data(at("job", "show", "1", "--json"))
    assert (job["state"], job["member"], job["title"]) == ("completed", "alice", "coin_slic3r.gcode")
    price = f"€{job['total_ttc_cents'] / 100:.2f}"
    assert told.out.splitlines()[-1] == f"Job 1: completed. {price}"
    assert "Job 1: " in told.err
    assert [entry["data"]["job"] for entry in data(at("usage", "list", "--json"))] == ["1"]
    assert price in at("usage", "show", "1").out
    assert "\nPayeur " in at("usage", "show", "1", FABD_LANG="fr").out
    assert at("usage", "verify").out.startswith("The ledger is whole: 1 entry.")
    assert [json.loads(line)["seq"] for line in at("usage", "export").out.splitlines()] == [1]


@pytest.mark.usefixtures("alice")
def test_waiting_prints_the_final_job_to_scripts(at: Fabd) -> None:
    assert data(at("submit", COIN, "--for", "alice", "--wait", "--json"))["state"] == "completed"


def test_standard_input_is_a_file_too(at: Fabd) -> None:
    job = data(at("submit", "-", "--json", stdin=Path(COIN).read_bytes()))
    assert (job["title"], job["member"]) == ("stdin", None)


def test_the_same_key_makes_one_job(at: Fabd) -> None:
    first, second = (data(at("submit", COIN, "--key", "k", "--json")) for _ in range(2))
    assert first["id"] == second["id"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--for", "bob"), "bob"),
        (("--machine", "mk9"), "mk9"),
        (("--material", "unobtainium"), "unobtainium"),
        (("--copies", "0"), "0"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_and_changes_nothing(at: Fabd, options: tuple[str, ...], words: str) -> None:
    told = at("submit", COIN, *options)
    assert (told.code, told.out) == (3, "")
    assert words in told.err
    assert data(at("job", "list", "--all", "--json")) == []


@pytest.mark.parametrize("content", [b"", b"a letter to the editor\n", b"x" * 2_000_000])
def test_what_is_no_program_is_refused_and_changes_nothing(at: Fabd, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "letter.gcode"
    file.write_bytes(content)
    told = at("submit", str(file))
    assert (told.code, told.out) == (3, "")
    assert told.err.startswith("fabd: ")
    assert data(at("job", "list", "--all", "--json")) == []


def test_a_job_is_held_released_and_canceled(at: Fabd) -> None:
    at("submit", COIN)
    for verb, state in (("hold", "pending-held"), ("release", "pending"), ("cancel", "canceled")):
        assert data(at("job", verb, "1", "--json"))["state"] == state
    assert at("job", "hold", "1").code == 3
    assert at("job", "show", "1").out.splitlines()[0].split() == ["Job", "1"]


def test_a_machine_is_closed_and_opened(at: Fabd) -> None:
    closed = at("machine", "close", "mk4", "--why", "[red]nozzle[/red]")
    assert "[red]nozzle[/red]" in closed.out
    assert at("machine", "open", "mk4").code == 0
    assert at("machine", "show", "mk4").out.splitlines()[0].split() == ["Machine", "mk4"]


def test_a_prompt_that_nobody_asked_is_told(at: Fabd) -> None:
    assert at("prompt", "answer", "mk9", "yes").code == 3


def test_watching_says_what_goes_on_and_ends_with_the_daemon(counter: Served) -> None:
    with popen("watch", "--json", FABD_SOCKET=str(counter.socket)) as watching:
        assert watching.stdout is not None
        first = json.loads(watching.stdout.readline())
        counter.close()
        assert watching.wait() == 0
        watching.stdout.read()
    assert [machine["id"] for machine in first["machines"]] == ["mk4"]


def test_whoever_stops_waiting_leaves_the_job_running(at: Fabd, counter: Served) -> None:
    with popen("submit", COIN, "--wait", FABD_SOCKET=str(counter.socket)) as waiting:
        assert waiting.stderr is not None
        assert waiting.stderr.readline().startswith(b"Job 1: ")
        waiting.send_signal(signal.SIGINT)
        told = waiting.stderr.read().decode()
        assert waiting.wait() == 130
    assert told == "Job 1 goes on without you. Look at it with: fabd job show 1\n"
    assert data(at("job", "show", "1", "--json"))["state"] == "pending"


def popen(*arguments: str, **env: str) -> "subprocess.Popen[bytes]":
    """The command, while it runs."""
    command = [str(Path(sys.executable).with_name("fabd")), *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=environment(**env))


def test_a_pipe_is_a_file_too(at: Fabd, tmp_path: Path) -> None:
    pipe = tmp_path / "coin.gcode"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(Path(COIN).read_bytes()))
    writer.start()
    assert data(at("submit", str(pipe), "--json"))["title"] == "coin.gcode"
    writer.join()
