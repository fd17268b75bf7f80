"""Logs: one event a line, for a person or for a program, and never a secret."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from fabd.reporting import logs


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Logging is one for the whole process."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in logs.LOUD}
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def events(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_program_reads_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(json=True)
    structlog.get_logger("fabd.queue").info("attempt runs", machine="mk4", job=412, ticket="K7")
    logging.getLogger("uvicorn.error").warning("slow %s", "client")
    ours, theirs = events(capsys)
    assert ours.pop("timestamp").endswith("Z")
    assert ours == {
        "event": "attempt runs",
        "level": "info",
        "logger": "fabd.queue",
        "machine": "mk4",
        "job": 412,
        "ticket": "K7",
    }
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("slow client", "warning", "uvicorn.error")


def test_a_code_is_said_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(json=True)
    structlog.get_logger().warning("till-unknown", till="bar")
    structlog.get_logger().warning("till-unknown")  # without what its sentence needs
    known, unknown = events(capsys)
    assert known["event"] == "till-unknown"
    assert known["text"].startswith("The till bar acknowledges entries, but")
    assert "text" not in unknown
    logs.set_up(json=False)
    structlog.get_logger().warning("till-unknown", till="bar")
    assert "The till bar acknowledges entries, but" in capsys.readouterr().err


def test_a_file_takes_them_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (tmp_path / "log").open("w+") as stream:
        logs.set_up(stream=stream)
        structlog.get_logger().info("kept")
        stream.seek(0)
        assert json.loads(stream.read())["event"] == "kept"
    assert capsys.readouterr().err == ""


def test_what_reads_is_found_out(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    logs.set_up()
    structlog.get_logger().info("to a pipe")
    assert events(capsys)[0]["event"] == "to a pipe"
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    logs.set_up()
    structlog.get_logger().info("to a person")
    assert not capsys.readouterr().err.startswith("{")
    monkeypatch.setenv("JOURNAL_STREAM", "9:1234")
    logs.set_up()
    structlog.get_logger().info("to the journal")
    assert events(capsys)[0]["event"] == "to the journal"


@pytest.mark.parametrize("json_", [True, False])
def test_no_secret_is_told(json_: bool, capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(json=json_)
    log = structlog.get_logger()
    url = "mqtt://fabd:hush@broker:1883/?x=1"
    log.info("connecting to mqtts://hush:hush@broker", url=url, deep={"to": [url], "password": "hush"})
    log.info("settings", password="hush", token="hush", api_key="hush", APIKEY="hush", secret=b"hush")
    logging.getLogger("httpx").warning("GET http://octopi/api?x %s", "https://u:hush@h/")
    try:
        hush = url
        raise ValueError(f"cannot reach {hush}")
    except ValueError:
        log.exception("failed", detail=url)
        logging.getLogger("paho").exception("failed")
    said = capsys.readouterr().err
    assert "hush" not in said.replace("{hush}", "")  # the source line of the traceback
    assert "broker:1883" in said
    assert "ValueError: cannot reach mqtt://***@broker:1883" in said


@given(st.text(), st.text(alphabet=st.characters(exclude_characters="/?#", exclude_categories=["Z", "C"]), min_size=1))
def test_whatever_a_password_looks_like_it_is_masked(before: str, password: str) -> None:
    assert logs.masked(f"{before} mqtt://fabd:{password}@broker:1883").endswith(" mqtt://***@broker:1883")


def test_a_stranger_cannot_write_on_the_terminal_of_whoever_reads(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(json=False)
    structlog.get_logger().warning("till-rejected", till="bar", entry="1", reason="\x1b[2Jgone\nforged line")
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "\x1b" not in said
    assert r"\x1b[2Jgone" in said


def test_chatter_of_libraries_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(json=True)
    for name in logs.LOUD:
        logging.getLogger(name).info("chatter")
        logging.getLogger(f"{name}.deeper").info("chatter")
    assert events(capsys) == []
