"""Every failure is one clear message on standard error, and a number that scripts can rely on."""

import json
import socket
import threading
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from fabd.client import Client, ClientError, Trouble
from fabd.errors import ConfigError
from fabd.model import Message
from fakes.served import Served
from fakes.shell import Fabd


def test_no_daemon(fabd: Fabd, tmp_path: Path) -> None:
    told = fabd("job", "list", "--socket", str(tmp_path / "fabd.sock"))
    assert (told.code, told.out) == (4, "")
    assert told.err.startswith(f"fabd: No daemon answers on the socket {tmp_path}/fabd.sock.")
    assert told.err.count("\n") == 1


def test_a_socket_that_nobody_listens_on(fabd: Fabd, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "fabd.sock"))
    assert fabd("job", "list", "--socket", str(tmp_path / "fabd.sock")).code == 4


def test_a_failure_is_json_for_scripts(fabd: Fabd, tmp_path: Path) -> None:
    told = fabd("job", "list", "--json", "--socket", str(tmp_path / "fabd.sock"))
    assert (told.code, told.out) == (4, "")
    assert json.loads(told.err)["problem"] == {
        "code": "client-no-daemon",
        "params": {"path": f"{tmp_path}/fabd.sock"},
        "text": told_in_english(tmp_path),
    }


def told_in_english(tmp_path: Path) -> str:
    return (
        f"No daemon answers on the socket {tmp_path}/fabd.sock. Start it (systemctl start fabd), or name another "
        "socket with --socket or FABD_SOCKET."
    )


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # httpcore leaves the socket to the collector
def test_a_socket_without_permission(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_given: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with Client(tmp_path / "fabd.sock") as client, pytest.raises(ClientError) as refused:
        client.jobs()
    assert refused.value.trouble is Trouble.UNREACHABLE
    assert refused.value.problem.problem.code == "client-no-permission"


def test_something_else_on_the_socket(fabd: Fabd, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "fabd.sock"))
        other.listen()

        def answer() -> None:
            connection, _address = other.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

        thread = threading.Thread(target=answer)
        thread.start()
        told = fabd("job", "list", "--socket", str(tmp_path / "fabd.sock"))
        thread.join()
    assert told.code == 5
    assert "answered what this command does not understand" in told.err


@pytest.mark.parametrize(("file", "detail"), [("missing.gcode", "No such file or directory"), (".", "Is a directory")])
def test_a_file_that_cannot_be_read(fabd: Fabd, tmp_path: Path, file: str, detail: str) -> None:
    told = fabd("submit", str(tmp_path / file))
    assert told.code == 2
    assert told.err.startswith(f"fabd: {tmp_path / file} cannot be read: {detail}.")


def test_every_mistake_of_a_configuration_is_told(fabd: Fabd, tmp_path: Path) -> None:
    (tmp_path / "fabd.toml").write_text('[site]\nid = "A B"\nname = 3\nlocale = "de"\n')
    (tmp_path / "machines.toml").write_text('[[machine]]\nid = "m"\nname = "M"\nkind = "printer"\ndriver = "nope"\n')
    told = fabd("check", "--config", str(tmp_path))
    assert (told.code, told.out) == (2, "")
    assert [line.split(",")[0].strip(" -") for line in told.err.splitlines()[1:]].count("fabd.toml") == 3
    assert "machines.toml" in told.err


def test_a_whole_configuration_is_summed_up(fabd: Fabd, tmp_path: Path) -> None:
    (tmp_path / "fabd.toml").write_text('[site]\nid = "test"\nname = "Test"\n')
    (tmp_path / "machines.toml").write_text("")
    told = fabd("check", "--config", str(tmp_path))
    assert (told.code, told.err) == (0, "")
    assert "The prices are those of the example tariff" in told.out


def test_a_reload_that_is_refused_says_why(at: Fabd, counter: Served) -> None:
    counter.reload_fails.append(ConfigError(Message(code="config-no-directory", params={"path": "/nowhere"})))
    told = at("reload", FABD_LANG="fr")
    assert told.code == 2
    assert "/nowhere" in told.err
    assert at("reload").code == 0


def test_a_mistake_of_ours_is_no_traceback(at: Fabd, counter: Served) -> None:
    counter.reload_fails.append(RuntimeError("a mistake"))
    with capture_logs() as logs:
        told = at("reload")
    assert told.code == 5
    assert [entry["event"] for entry in logs] == ["request-failed"]
    assert "The daemon failed at this request." in told.err
    assert "Traceback" not in told.err


def test_what_a_terminal_would_obey_is_not_printed(at: Fabd) -> None:
    told = at("member", "show", "\x1b[2J\x07")
    assert told.code == 3
    assert "\x1b" not in told.err
    assert "\x07" not in told.err


def test_there_is_no_such_schema(fabd: Fabd) -> None:
    told = fabd("schema", "nothing")
    assert told.code == 3
    assert "usage" in told.err


@pytest.mark.parametrize("name", ["usage", "machine-state", "openapi"])
def test_schemas_are_printed(fabd: Fabd, name: str) -> None:
    assert isinstance(json.loads(fabd("schema", name).out), dict)
