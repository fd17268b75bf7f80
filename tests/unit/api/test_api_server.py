"""The socket is ours alone, has the right mode, and is gone when we are."""

import asyncio
import signal
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.responses import StreamingResponse

from fabd.api.server import bound, serving
from fabd.errors import ConfigError, Conflict


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fabd.sock"


def small_app() -> FastAPI:
    app = FastAPI()
    app.state.closing = asyncio.Event()
    return app


def client_of(path: Path) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(path)), base_url="http://fabd")


def left_by_a_dead_daemon(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()


def test_only_the_account_and_its_group_may_connect(path: Path) -> None:
    with bound(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_the_socket_is_removed_at_the_end(path: Path) -> None:
    with bound(path):
        assert path.is_socket()
    assert not path.exists()


def test_the_socket_of_a_dead_daemon_is_replaced(path: Path) -> None:
    left_by_a_dead_daemon(path)
    with bound(path), socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(path))


def test_the_socket_of_a_living_daemon_is_left_alone(path: Path) -> None:
    with bound(path):
        with pytest.raises(Conflict, match="Another process answers on the socket") as refused, bound(path):
            pass
        assert refused.value.message.params == {"path": str(path)}
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(path))


def test_a_file_is_never_taken_for_a_socket(path: Path) -> None:
    path.write_text("somebody's notes")
    with pytest.raises(ConfigError, match="cannot be a socket"), bound(path):
        pass
    assert path.read_text() == "somebody's notes"


def test_the_directory_of_the_socket_is_made(tmp_path: Path) -> None:
    path = tmp_path / "run" / "fabd" / "fabd.sock"
    with bound(path):
        assert path.is_socket()


@pytest.mark.parametrize("name", ["notes/fabd.sock", "n" * 120])
def test_a_path_that_cannot_be_used_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes").write_text("a file, not a directory")
    with pytest.raises(ConfigError, match="cannot be a socket"), bound(tmp_path / name):
        pass


def test_the_socket_of_a_later_daemon_is_not_removed(path: Path) -> None:
    with bound(path):
        path.rename(path.with_suffix(".old"))
        left_by_a_dead_daemon(path)
    assert path.is_socket()


async def test_the_peers_user_id_is_known(path: Path) -> None:
    app = small_app()

    @app.get("/")
    async def who(request: Request) -> int:
        uid: int = request.state.peer_uid
        return uid

    async with serving(app, path), client_of(path) as client:
        answer = await client.get("/")
    assert answer.json() == path.parent.stat().st_uid


async def test_signals_stay_the_daemons(path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    async with serving(small_app(), path), client_of(path) as client:
        await client.get("/")
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


async def test_a_request_under_way_comes_to_its_end(path: Path) -> None:
    app = small_app()
    begun, go_on = asyncio.Event(), asyncio.Event()

    @app.get("/")
    async def slow() -> str:
        begun.set()
        await go_on.wait()
        return "done"

    async with client_of(path) as client:
        async with serving(app, path):
            answer = asyncio.create_task(client.get("/"))
            await begun.wait()
            asyncio.get_running_loop().call_later(0.05, go_on.set)
        assert (await answer).json() == "done"


async def test_streams_end_when_the_daemon_stops(path: Path) -> None:
    app = small_app()

    @app.get("/")
    async def stream() -> StreamingResponse:
        async def lines() -> AsyncIterator[str]:
            yield "begun\n"
            await app.state.closing.wait()
            yield "ended\n"

        return StreamingResponse(lines())

    async with client_of(path) as client:
        async with serving(app, path):
            request = client.build_request("GET", "/")
            answer = await client.send(request, stream=True)
            lines = answer.aiter_lines()
            assert await anext(lines) == "begun"
        assert [line async for line in lines] == ["ended"]
        await answer.aclose()


async def test_it_can_be_served_again(path: Path) -> None:
    app = small_app()
    for _ in range(2):
        async with serving(app, path), client_of(path) as client:
            assert not app.state.closing.is_set()
            assert (await client.get("/nothing")).status_code == 404
