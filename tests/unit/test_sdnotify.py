"""What systemd hears, on a real datagram socket."""

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fabd import clock, sdnotify
from fabd.tasks import end, own


@contextmanager
def systemd(monkeypatch: pytest.MonkeyPatch, address: str) -> Iterator[socket.socket]:
    """The other end of `NOTIFY_SOCKET`; `@` begins a name in the abstract namespace, as systemd writes it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind("\0" + address[1:] if address.startswith("@") else address)
        heard.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        yield heard


def waiting(heard: socket.socket) -> list[str]:
    """What was said until now."""
    said = []
    heard.setblocking(False)
    try:
        while True:
            said.append(heard.recv(4096).decode())
    except BlockingIOError:
        return said


@pytest.mark.parametrize("abstract", [False, True])
def test_states_arrive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, abstract: bool) -> None:
    address = f"@fabd-test-{clock.token()}" if abstract else str(tmp_path / "notify")
    with systemd(monkeypatch, address) as heard:
        sdnotify.notify("READY=1")
        assert heard.recv(4096) == b"READY=1"
        before_us = time.monotonic_ns() // 1000
        sdnotify.reloading()
        reloading, monotonic = heard.recv(4096).decode().splitlines()
        assert reloading == "RELOADING=1"
        name, _, at_us = monotonic.partition("=")
        assert name == "MONOTONIC_USEC"
        assert before_us <= int(at_us) <= time.monotonic_ns() // 1000


def test_without_systemd_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    sdnotify.notify("READY=1")


def test_a_systemd_that_does_not_listen_hurts_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    sdnotify.notify("READY=1")


def test_a_systemd_that_does_not_read_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with systemd(monkeypatch, str(tmp_path / "notify")) as heard:
        for _ in range(10_000):  # more than any queue of datagrams holds
            sdnotify.notify("WATCHDOG=1")
        assert 0 < len(waiting(heard)) < 10_000


async def test_a_loop_that_turns_feeds_the_watchdog_and_a_stuck_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "60000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    with systemd(monkeypatch, str(tmp_path / "notify")) as heard:
        feeding = own(sdnotify.feed_watchdog(), "watchdog")
        async with asyncio.timeout(10):
            said: list[str] = []
            while len(said) < 3:
                await asyncio.sleep(0.01)
                said += waiting(heard)
        assert set(said) == {"WATCHDOG=1"}
        waiting(heard)
        time.sleep(0.2)  # the loop is stuck
        assert waiting(heard) == []
        await end(feeding)


@pytest.mark.parametrize(("period", "process"), [(None, None), ("0", None), ("soon", None), ("60000", "1")])
async def test_a_watchdog_that_is_not_ours_is_not_fed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, period: str | None, process: str | None
) -> None:
    for name, value in (("WATCHDOG_USEC", period), ("WATCHDOG_PID", process)):
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    with systemd(monkeypatch, str(tmp_path / "notify")) as heard:
        async with asyncio.timeout(10):
            await sdnotify.feed_watchdog()
        assert waiting(heard) == []
