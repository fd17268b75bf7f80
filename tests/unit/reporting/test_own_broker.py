"""The broker of fabd's own: Mosquitto as a child, or amqtt in the loop."""

import os
import signal
import socket
from pathlib import Path

import pytest
from aiomqtt import ProtocolVersion

from components import require
from fabd.errors import ConfigError, LinkLost
from fabd.reporting import broker as own
from fabd.reporting.broker import own_broker
from fakes.broker import answers
from fakes.counter import ROOT, client, connected, next_on, read, until


@pytest.fixture(params=["mosquitto", "amqtt"])
def how(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which broker the machine has."""
    if request.param == "mosquitto":
        require("mosquitto")
    else:
        pytest.importorskip("amqtt", reason="amqtt is not installed here")
        monkeypatch.setattr(own, "mosquitto", lambda: None)
    return str(request.param)


# amqtt's own, in Python 3.11 and later.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_it_carries_messages_while_it_lasts(how: str, tmp_path: Path) -> None:
    async with own_broker("127.0.0.1", 0, tmp_path / "broker") as found:
        assert found.how == how
        async with connected(f"mqtt://127.0.0.1:{found.peer.port}") as connection:
            connection.peer = found.peer
            await until(lambda: connection.connected)
            async with client(found.peer.port, None, protocol=_protocol(how)) as somebody:
                await somebody.subscribe(f"{ROOT}/status", qos=1)
                assert read(await next_on(somebody, f"{ROOT}/status"))["status"] == "online"
    assert not answers(found.peer.port)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.10", "::", "example.org"])
async def test_it_lets_everybody_in_so_it_listens_on_this_machine_only(host: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="loopback"):
        async with own_broker(host, 0, tmp_path):
            pass


@pytest.mark.usefixtures("how")
async def test_a_port_that_is_taken_is_told_and_nobody_elses_broker_is_used(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port}"):
            async with own_broker("127.0.0.1", port, tmp_path):
                pass


async def test_where_there_is_no_broker_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own, "mosquitto", lambda: None)
    monkeypatch.setattr(own, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="apt install mosquitto"):
        async with own_broker("127.0.0.1", 0, tmp_path):
            pass


async def test_a_mosquitto_that_does_not_start_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "mosquitto"
    broken.write_text("#!/bin/sh\necho 'Error: no space left' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(own, "mosquitto", lambda: str(broken))
    with pytest.raises(LinkLost, match="no space left"):
        async with own_broker("127.0.0.1", 0, tmp_path / "broker"):
            pass


async def test_a_mosquitto_that_dies_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require("mosquitto")
    monkeypatch.setattr(own, "AGAIN_S", 0.05)
    async with own_broker("127.0.0.1", 0, tmp_path) as found:
        child = _child()
        os.kill(child, signal.SIGKILL)
        await until(lambda: _children() and _child() != child and answers(found.peer.port))


async def test_retained_messages_outlive_a_restart(tmp_path: Path) -> None:
    require("mosquitto")
    for _ in range(2):
        async with own_broker("127.0.0.1", 0, tmp_path) as found, client(found.peer.port, None) as somebody:
            if _ == 0:
                await somebody.publish("kept", "yes", qos=1, retain=True)
                continue
            await somebody.subscribe("kept", qos=1)
            assert (await next_on(somebody, "kept")).payload == b"yes"


def _protocol(how: str) -> ProtocolVersion:
    return ProtocolVersion.V5 if how == "mosquitto" else ProtocolVersion.V311


def _children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def _child() -> int:
    (child,) = _children()
    return child
