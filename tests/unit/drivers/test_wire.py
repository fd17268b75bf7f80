import asyncio
import os
import socket
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

import pytest
from pydantic_core import PydanticCustomError

from fabd.drivers.wire import baud_of, check_url, open_wire
from fabd.errors import LinkLost


@contextmanager
def pseudo_terminal() -> Iterator[tuple[FileIO, str]]:
    """The other end, and the URL. Closing the other end pulls the plug."""
    master, slave = os.openpty()
    tty.setraw(slave)
    name = os.ttyname(slave)
    os.close(slave)
    with FileIO(master, "r+") as other_end:
        yield other_end, f"serial://{name}?baud=115200"


async def test_bytes_go_both_ways_over_a_serial_line() -> None:
    with pseudo_terminal() as (master, url):
        wire = await open_wire(url)
        await wire.write(b"M115\n")
        assert master.read(100) == b"M115\n"
        waiting = asyncio.create_task(wire.read())
        await asyncio.sleep(0)
        master.write(b"o")
        assert await waiting == b"o"
        master.write(b"k\n")
        assert await wire.read() == b"k\n"
        wire.close()


async def test_silence_is_no_end() -> None:
    with pseudo_terminal() as (master, url):
        wire = await open_wire(url)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await wire.read()
        master.write(b"ok\n")
        assert await wire.read() == b"ok\n"
        wire.close()


async def test_a_pulled_plug_is_a_lost_link_for_who_reads_and_who_writes() -> None:
    with pseudo_terminal() as (master, url):
        wire = await open_wire(url)
        reading = asyncio.create_task(wire.read())
        await asyncio.sleep(0)
        master.close()
        with pytest.raises(LinkLost) as lost:
            await reading
        assert lost.value.message.code == "wire-hung-up"
        with pytest.raises(LinkLost):
            await wire.write(b"M105\n")
        wire.close()


async def test_what_was_said_before_the_end_is_heard_before_the_end() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    wire = await open_wire(f"tcp://127.0.0.1:{listener.getsockname()[1]}")
    peer, _ = listener.accept()
    peer.sendall(b"Error:Printer halted\n")
    peer.close()
    await asyncio.sleep(0.05)
    assert await wire.read() == b"Error:Printer halted\n"
    with pytest.raises(LinkLost):
        await wire.read()
    wire.close()
    listener.close()


async def test_close_wakes_who_waits_and_is_idempotent() -> None:
    with pseudo_terminal() as (_, url):
        wire = await open_wire(url)
        reading = asyncio.create_task(wire.read())
        await asyncio.sleep(0)
        wire.close()
        wire.close()
        with pytest.raises(LinkLost) as lost:
            await reading
        assert lost.value.message.code == "wire-closed"
        with pytest.raises(LinkLost):
            await wire.write(b"x")


async def test_a_write_waits_for_a_slow_machine_and_two_writes_never_mix() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    wire = await open_wire(f"tcp://127.0.0.1:{listener.getsockname()[1]}")
    peer, _ = listener.accept()
    peer.setblocking(False)
    a, b = b"a" * 8_000_000, b"b" * 1_000
    writing = [asyncio.create_task(wire.write(a)), asyncio.create_task(wire.write(b))]
    heard = bytearray()
    loop = asyncio.get_running_loop()
    while len(heard) < len(a) + len(b):
        heard += await loop.sock_recv(peer, 1_000_000)
    assert bytes(heard) == a + b
    await asyncio.gather(*writing)
    wire.close()
    peer.close()
    listener.close()


async def test_a_cancelled_write_frees_the_way_for_the_next() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    wire = await open_wire(f"tcp://127.0.0.1:{listener.getsockname()[1]}")
    peer, _ = listener.accept()
    peer.setblocking(False)
    stuck = asyncio.create_task(wire.write(b"a" * 50_000_000))
    await asyncio.sleep(0.05)
    assert not stuck.done()
    stuck.cancel()
    stop = asyncio.create_task(wire.write(b"\nM104 S0\n"))
    heard = bytearray()
    loop = asyncio.get_running_loop()
    while not heard.endswith(b"M104 S0\n"):
        heard += await loop.sock_recv(peer, 1_000_000)
    await stop
    assert stuck.cancelled()
    assert heard.strip(b"a") == b"\nM104 S0\n"
    wire.close()
    peer.close()
    listener.close()


async def test_more_than_anybody_reads_stays_in_the_operating_system() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    wire = await open_wire(f"tcp://127.0.0.1:{listener.getsockname()[1]}")
    peer, _ = listener.accept()
    peer.setblocking(False)
    flood = bytes(range(256)) * 40_000
    pouring = asyncio.create_task(asyncio.get_running_loop().sock_sendall(peer, flood))
    await asyncio.sleep(0.1)
    assert not pouring.done(), "the wire swallowed ten megabytes that nobody asked for"
    heard = bytearray()
    while len(heard) < len(flood):
        heard += await wire.read()
    assert bytes(heard) == flood
    await pouring
    wire.close()
    peer.close()
    listener.close()


@pytest.mark.parametrize(
    "url", ["serial:///dev/no-such-printer?baud=115200", "usblp:///dev/no-such-cutter", "tcp://127.0.0.1:1"]
)
async def test_what_is_not_there_is_a_lost_link(url: str) -> None:
    with pytest.raises(LinkLost) as lost:
        await open_wire(url)
    assert lost.value.message.code == "wire-not-opened"
    assert str(lost.value).count(url) == 1


async def test_a_file_that_is_no_device_is_a_lost_link_and_stays_closed(tmp_path: Path) -> None:
    file = tmp_path / "printer"
    file.write_text("no device")
    for url in (f"serial://{file}?baud=9600", f"usblp://{file}"):
        with pytest.raises(LinkLost):
            await open_wire(url)


async def test_a_serial_port_is_opened_by_one_alone() -> None:
    with pseudo_terminal() as (_, url):
        wire = await open_wire(url)
        with pytest.raises(LinkLost):
            await open_wire(url)
        wire.close()


@pytest.mark.parametrize(
    "url",
    [
        "serial:///dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0-port0?baud=250000",
        "serial:///dev/ttyACM0",
        "tcp://[::1]:23",
        "usblp:///dev/usb/lp0",
        "sim://marlin?seed=1",
    ],
)
def test_good_urls(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/dev/ttyACM0",
        "http://x",
        "serial://dev/ttyACM0",
        "serial:///dev/x?baud=fast",
        "serial:///dev/x?buad=9600",
        "tcp://host",
        "tcp://host:0",
        "tcp://host:99999",
        "tcp://:23",
        "usblp://lp0",
    ],
)
def test_bad_urls(url: str) -> None:
    with pytest.raises(PydanticCustomError):
        check_url(url)


def test_baud_of() -> None:
    assert baud_of("serial:///dev/x?baud=250000") == 250000
    assert baud_of("serial:///dev/x") == 115200
    assert baud_of("tcp://x:1") is None
