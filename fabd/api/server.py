"""Serves the application on a Unix socket that we bind ourselves, so that its mode is right from the first moment."""

import asyncio
import contextlib
import errno
import os
import socket
import stat
from collections.abc import AsyncIterator, Generator
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from fabd.api.peer import PeerProtocol
from fabd.errors import ConfigError, Conflict
from fabd.model import Message
from fabd.tasks import own

MODE = 0o660
"""The daemon's account and its group: whoever may talk to it is put into that group."""
GRACE_S = 5
"""How long requests under way may take to their end when the daemon stops."""
BACKLOG = 64


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the daemon has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@contextlib.asynccontextmanager
async def serving(app: FastAPI, path: Path) -> AsyncIterator["asyncio.Task[None]"]:
    """Serve `app` on the socket `path` as long as the context lasts.

    Gives the server's task: it ends before the context does only when it failed, so watch it. Leaving the context
    ends the streams, lets other requests come to their end for `GRACE_S`, and removes the socket. Raises `Conflict`
    when another process answers there, and `ConfigError` when the path cannot be used.
    """
    app.state.closing.clear()
    config = uvicorn.Config(
        app,
        http=PeerProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = _Server(config)
    with bound(path) as listener:
        task = own(server.serve(sockets=[listener]), "api")
        try:
            yield task
        finally:
            app.state.closing.set()
            server.should_exit = True
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()


@contextlib.contextmanager
def bound(path: Path) -> Generator[socket.socket, None, None]:
    """A listening socket at `path` with `MODE`, removed at the end; what a dead daemon left there is replaced.

    Its directory is made where it is missing: systemd makes `/run/fabd`, and nobody does elsewhere.

    Raises `Conflict` when somebody answers there, `ConfigError` when the path cannot be used.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _clear(path)
            listener.bind(str(path))
            path.chmod(MODE)  # nobody can connect before `listen`
            listener.listen(BACKLOG)
        except OSError as error:
            params = {"path": str(path), "detail": error.strerror or str(error)}
            raise ConfigError(Message(code="api-socket-not-usable", params=params)) from error
        listener.setblocking(False)
        ours = path.stat().st_ino
        try:
            yield listener
        finally:
            _remove(path, ours)


def _clear(path: Path) -> None:
    """Remove the socket of a dead daemon; nothing else is ever removed."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except TimeoutError:
            pass  # somebody listens, and is too busy to answer
    raise Conflict("api-socket-taken", path=str(path))


def _remove(path: Path, ours: int) -> None:
    """Remove our own socket, not that of a daemon which came after us."""
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_ino == ours:
            path.unlink()
