"""A broker of our own, for `embedded://`: Mosquitto from the path as a child process, else amqtt in our loop.

It lets everybody in, so it listens on loopback only. Where passwords are wanted, a Mosquitto that the system
runs is the right one.
"""

import asyncio
import ipaddress
import logging
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import structlog

from fabd import tasks
from fabd.errors import ConfigError, LinkLost
from fabd.messages import Message
from fabd.reporting.link import Peer

log = structlog.get_logger(__name__)

START_S = 10.0
STOP_S = 5.0
AGAIN_S = 1.0
"""How long to wait before a broker that ended by itself is started again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnBroker:
    """Which one it is, `mosquitto` or `amqtt`, and where it listens."""

    how: str
    peer: Peer


@asynccontextmanager
async def own_broker(host: str, port: int, directory: Path) -> AsyncIterator[OwnBroker]:
    """Run a broker on `host:port` (port 0: any that is free) while the context lasts; its files go to `directory`.

    Raises `ConfigError` when the address is not ours to take, or no broker is installed, and `LinkLost` when it
    does not start.
    """
    if not _is_loopback(host):
        raise _wrong("broker-not-loopback", host=host)
    port = _claim(host, port)
    program = mosquitto()
    if program is not None:
        async with _mosquitto(program, host, port, directory):
            yield OwnBroker(how="mosquitto", peer=Peer(host=host, port=port))
    elif find_spec("amqtt") is not None:
        async with _amqtt(host, port):
            # It takes the first bytes of an MQTT 5 client for 3.1.1, and never answers.
            yield OwnBroker(how="amqtt", peer=Peer(host=host, port=port, mqtt5=False))
    else:
        raise _wrong("broker-missing")


def mosquitto() -> str | None:
    """The Mosquitto on this machine; Debian keeps it in `/usr/sbin`, which is not on everybody's path."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/local/sbin:/usr/sbin")


@asynccontextmanager
async def _mosquitto(program: str, host: str, port: int, directory: Path) -> AsyncIterator[None]:
    config = _write_config(host, port, directory)
    process = await _start(program, config, host, port)

    async def keep_running() -> None:
        nonlocal process
        while True:
            code = await process.wait()
            log.warning("broker-ended", code=code)
            await asyncio.sleep(AGAIN_S)
            with suppress(LinkLost):
                process = await _start(program, config, host, port)

    keeper = tasks.own(keep_running(), "own-broker")
    try:
        yield
    finally:
        await tasks.end(keeper)
        await _stop(process)


def _write_config(host: str, port: int, directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    lines = [
        f"listener {port} {host}",
        "allow_anonymous true",
        "persistence true",
        f"persistence_location {directory}/",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
    ]
    if os.geteuid() == 0:
        lines.append("user root")  # else it becomes `mosquitto`, which may not write here
    config = directory / "mosquitto.conf"
    config.write_text("\n".join(lines) + "\n")
    return config


async def _start(program: str, config: Path, host: str, port: int) -> asyncio.subprocess.Process:
    """Start Mosquitto, and wait until it answers."""
    command = [program, "-c", str(config)]
    if (setpriv := shutil.which("setpriv")) is not None:
        # It must not outlive a daemon that was killed: its port would be taken at the next start.
        command = [setpriv, "--pdeathsig", "TERM", "--", *command]
    errors = config.with_name("mosquitto.log")
    with errors.open("wb") as stderr:
        # In a session of its own, Ctrl-C on our terminal does not end it before our last word.
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=stderr, stderr=stderr, start_new_session=True
        )
    try:
        async with asyncio.timeout(START_S):
            while process.returncode is None and not await _answers(host, port):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    except BaseException as error:
        await _stop(process)
        if isinstance(error, TimeoutError):
            raise _did_not_start(program, errors) from error
        raise
    if process.returncode is not None:
        raise _did_not_start(program, errors)
    return process


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _answers(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


@asynccontextmanager
async def _amqtt(host: str, port: int) -> AsyncIterator[None]:
    from amqtt.broker import Broker
    from amqtt.errors import AMQTTError

    # It tells of every packet, and of each client that leaves without a word.
    for name in ("amqtt", "transitions"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": place}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    try:
        await broker.start()
    except AMQTTError as error:
        raise LinkLost("broker-did-not-start", program="amqtt", detail=str(error)) from error
    try:
        yield
    finally:
        await broker.shutdown()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _claim(host: str, port: int) -> int:
    """Find out that nobody listens there, who would then be taken for our broker; chooses a port for 0."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise _wrong("broker-port-taken", host=host, port=port) from error
        chosen: int = probe.getsockname()[1]
        return chosen


def _did_not_start(program: str, errors: Path) -> LinkLost:
    said = errors.read_text(errors="replace").strip()[-500:]
    return LinkLost("broker-did-not-start", program=program, detail=said or "-")


def _wrong(code: str, **params: str | int) -> ConfigError:
    return ConfigError(Message(code=code, params=params))
