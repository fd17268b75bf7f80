"""OctoPrint's wire without OctoPrint: REST and SockJS push on the loopback, which also do what a real one cannot be made to.

Its print goes on only as the test says, or steadily with `steps_per_s`. Shapes are those that OctoPrint 1.11.8 was seen to
send.
"""

import asyncio
import base64
import hashlib
import json
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

KEY = "ABCDEF0123456789ABCDEF0123456789"
RIGHTS = ("STATUS", "CONNECTION", "CONTROL", "FILES_LIST", "FILES_UPLOAD", "FILES_DELETE", "PRINT")
HTML = b"<html><head><title>Welcome to &lt;nginx&gt;</title></head><body>Log in</body></html>"
_ACTIVE = ("Printing", "Pausing", "Paused", "Resuming", "Cancelling", "Finishing")
_FLAG = {"Printing": "printing", "Paused": "paused", "Pausing": "pausing", "Finishing": "finishing"}


@dataclass
class Answer:
    """What is sent back instead of the truth."""

    status: int
    body: bytes
    kind: str = "application/json"
    location: str | None = None


@dataclass
class FakeOctoprint:
    """One OctoPrint with one printer."""

    prefix: str = ""
    state: str = "Operational"
    error: str = ""
    file: str | None = None
    size: int = 0
    filepos: int | None = None
    print_s: float | None = None
    targets: dict[str, float] = field(default_factory=lambda: {"tool0": 0.0, "bed": 0.0})
    files: dict[str, Any] = field(default_factory=dict)
    """Each upload with its `prints`, or `None` where it was never printed."""
    rights: tuple[str, ...] = RIGHTS
    instead: dict[str, Answer] = field(default_factory=dict)
    """For requests whose path begins so, another answer."""
    mute: bool = False
    """Connections stand, and nothing is said any more: half-open."""
    drips: bool = False
    """Answers come, a byte at a time, and never whole."""
    pushes: bool = True
    begins: bool = True
    """Whether an upload is printed as it asks for."""
    cold: bool = True
    """Whether heaters obey."""
    decision: Answer = field(default_factory=lambda: Answer(202, b"{}"))
    """What is said to who asks for a key and waits."""
    steps_per_s: float = 0.0
    """How many bytes of the file are printed in a second, by itself."""
    requests: list[str] = field(default_factory=list)
    """Method and path of each, without the query."""
    port: int = 0
    _sockets: dict[asyncio.Task[None], asyncio.StreamWriter] = field(default_factory=dict)
    _links: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.prefix}"

    @asynccontextmanager
    async def open(self, tls: ssl.SSLContext | None = None) -> AsyncIterator["FakeOctoprint"]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await self.cut()
            await server.wait_closed()
            await asyncio.sleep(0.01)  # aborted sockets are closed by the loop's next round

    async def cut(self) -> None:
        """Drop all connections; others may come."""
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    # --- its print ---------------------------------------------------------------------------------------

    def begin(self, file: str, size: int = 1000) -> None:
        """Somebody starts a print."""
        self.file, self.size, self.filepos, self.print_s, self.state = file, size, 0, 0.0, "Printing"
        self.files[file] = None
        self.event("PrintStarted", {"user": "anna"})

    def advance(self, filepos: int, print_s: float) -> None:
        self.filepos, self.print_s = filepos, print_s
        self.push()

    def end(self, event: str, **more: object) -> None:
        """The print is over."""
        assert self.file is not None
        done = event == "PrintDone"
        last = {"date": 1.0, "success": done, **({"printTime": self.print_s} if done else {})}
        self.files[self.file] = {"success": int(done), "failure": int(not done), "last": last}
        self.state = "Operational" if not more.get("error") else "Offline after error"
        where = {"fileposition": self.filepos, "time": self.print_s}
        self.event(event, {**where, **more})
        if event == "PrintCancelled":
            self.event("PrintFailed", {**where, **more, "reason": "cancelled"})
        if done:
            self.filepos = self.size
        else:
            self.filepos = self.print_s = None
        self.push()

    # --- push --------------------------------------------------------------------------------------------

    def event(self, kind: str, payload: dict[str, object]) -> None:
        self.say("a" + json.dumps([{"event": {"type": kind, "payload": {"path": self.file, **payload}}}]))

    def push(self) -> None:
        self.say("a" + json.dumps([{"current": self._current()}]))

    def say(self, frame: str) -> None:
        """Any text frame, to all who listen."""
        if not self.mute:
            for writer in self._sockets.values():
                writer.write(_text_frame(frame.encode()))

    def _current(self) -> dict[str, Any]:
        return {
            "state": {"text": self.state, "flags": self._flags(), "error": self.error},
            "job": self._job(),
            "progress": self._progress(),
            "temps": [{"time": 1, **self._temperatures()}],
        }

    def _flags(self) -> dict[str, bool]:
        here = self.state == "Operational" or self.state in _ACTIVE
        flags = {"operational": here, "ready": self.state == "Operational", "closedOrError": not here}
        if self.state in _FLAG:
            flags[_FLAG[self.state]] = True
        return flags

    def _job(self) -> dict[str, Any]:
        return {"file": {"path": self.file, "origin": "local", "size": self.size}, "user": "fabd"}

    def _progress(self) -> dict[str, Any]:
        share = None if self.filepos is None or not self.size else 100.0 * self.filepos / self.size
        return {"completion": share, "filepos": self.filepos, "printTime": self.print_s, "printTimeLeft": None}

    def _temperatures(self) -> dict[str, Any]:
        found: dict[str, Any] = {name: {"actual": 20.0, "target": target} for name, target in self.targets.items()}
        return {**found, "chamber": {"actual": None, "target": None}}

    # --- the wire ----------------------------------------------------------------------------------------

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.create_task(self._serve(reader, writer))
        self._links.add(link)
        link.add_done_callback(self._links.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    head = (await reader.readuntil(b"\r\n\r\n")).decode()
                    method, path, _ = head.split(" ", 2)
                    path = path.split("?")[0]
                    self.requests.append(f"{method} {path}")
                    headers = {
                        name.lower(): value
                        for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:])
                    }
                    if headers.get("upgrade") == "websocket":
                        await self._serve_push(reader, writer, headers["sec-websocket-key"])
                        return
                    body = await reader.readexactly(int(headers.get("content-length", 0)))
                    while self.mute:
                        await asyncio.sleep(0.05)
                    answer = self._answer(method, path, headers, body)
                    writer.write(_head(answer))
                    if self.drips:
                        while True:
                            writer.write(b" ")
                            await asyncio.sleep(0.2)
                    writer.write(answer.body)
                    await writer.drain()
        finally:
            writer.transport.abort()

    def _answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if not path.startswith(self.prefix + "/"):
            return Answer(404, HTML, "text/html")
        path = path.removeprefix(self.prefix)
        for beginning, other in self.instead.items():
            if f"{method} {path}".startswith(beginning):
                return other
        if path == "/plugin/appkeys/request":
            # As behind a proxy: it does not know its own address.
            return Answer(201, b"{}", location="http://octoprint.invalid/plugin/appkeys/request/T0KEN")
        if path == "/plugin/appkeys/request/T0KEN":
            return self.decision
        if headers.get("x-api-key") != KEY:
            return _error(403, "You don't have the permission to access the requested resource.")
        return self._obey(method, path, body)

    def _obey(self, method: str, path: str, body: bytes) -> Answer:
        if path == "/api/version":
            return _json({"api": "0.1", "server": "1.11.8"})
        if path == "/api/currentuser":
            return _json({"name": "fabd", "permissions": self.rights})
        if path == "/api/login":
            return _json({"name": "fabd", "session": "5E55"})
        if path == "/api/job" and method == "GET":
            told = {"job": self._job(), "progress": self._progress(), "state": self.state}
            return _json(told | ({"error": self.error} if self.error else {}))
        if path == "/api/job":
            return self._command(json.loads(body))
        if path == "/api/connection":
            self.state, self.error = "Operational", ""
            return Answer(204, b"")
        if path.startswith("/api/printer"):
            return self._printer(path, method, body)
        return self._file(path, method, body)

    def _command(self, command: dict[str, str]) -> Answer:
        if self.state not in _ACTIVE:
            return _error(409, "Printer is neither printing nor paused")
        if command["command"] == "cancel":
            self.end("PrintCancelled", user="fabd")
        elif command["action"] == "pause":
            self.state = "Paused"
        elif command["action"] == "resume":
            self.state = "Printing"
        else:
            raise AssertionError("a pause names its action")
        self.push()
        return Answer(204, b"")

    def _printer(self, path: str, method: str, body: bytes) -> Answer:
        if not self._flags()["operational"]:
            return _error(409, "Printer is not operational")
        if method == "GET":
            return _json({"temperature": self._temperatures(), "state": {"text": self.state, "flags": self._flags()}})
        command = json.loads(body)
        if self.cold:
            wanted = command.get("targets") or {path.rsplit("/", 1)[-1]: command["target"]}
            self.targets |= wanted
            self.push()
        return Answer(204, b"")

    def _file(self, path: str, method: str, body: bytes) -> Answer:
        name = path.removeprefix("/api/files/local").strip("/")
        if method == "POST":
            found = re.search(rb'filename="([^"]*)"\r\n.*?\r\n\r\n(.*)\r\n--', body, re.DOTALL)
            assert found is not None, body[:200]
            self.files[found[1].decode()] = None
            may = self.begins and self.state == "Operational" and b'name="print"\r\n\r\ntrue' in body
            if may:
                self.begin(found[1].decode(), len(found[2]))
            return _json({"done": True, "effectivePrint": may, "effectiveSelect": False}, 201)
        if not name:
            return _json({"files": [{"path": name, "name": name} for name in self.files]})
        if name not in self.files:
            return _error(404, "Not Found")
        if method == "DELETE":
            if name == self.file and self.state in _ACTIVE:
                return _error(409, "Trying to delete a file that is currently in use")
            del self.files[name]
            return Answer(204, b"")
        prints = self.files[name]
        return _json({"path": name, **({"prints": prints} if prints else {})})

    async def _serve_push(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
        if not self.pushes:
            writer.write(_head(Answer(400, b"", "text/plain")))
            return
        accepted = base64.b64encode(hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        writer.write(switch + b"Sec-WebSocket-Accept: " + accepted + b"\r\n\r\n" + _text_frame(b"o"))
        task = asyncio.current_task()
        assert task is not None
        self._sockets[task] = writer
        ticking = asyncio.create_task(self._tick(writer))
        try:
            while (await _frame(reader)) & 0x0F != 8:  # a close: RFC 6455, section 5.2
                continue
            writer.write(b"\x88\x00")
        finally:
            del self._sockets[task]
            ticking.cancel()

    async def _tick(self, writer: asyncio.StreamWriter) -> None:
        writer.write(_text_frame(("a" + json.dumps([{"history": self._current()}])).encode()))
        while True:
            await asyncio.sleep(1.0)
            if self.steps_per_s and self.state == "Printing" and self.filepos is not None and self.print_s is not None:
                self.filepos = min(self.size - 1, self.filepos + int(self.steps_per_s))
                self.print_s += 1.0
            if not self.mute:
                writer.write(_text_frame(("a" + json.dumps([{"current": self._current()}])).encode()))


async def _frame(reader: asyncio.StreamReader) -> int:
    """Read one frame; returns its first byte."""
    first, length = await reader.readexactly(2)
    length &= 0x7F
    if length == 126:
        length = int.from_bytes(await reader.readexactly(2))
    await reader.readexactly(4 + length)  # masked, as all that a client sends
    return first


def _text_frame(data: bytes) -> bytes:
    length = bytes([len(data)]) if len(data) < 126 else b"\x7e" + len(data).to_bytes(2)
    return b"\x81" + length + data


def _head(answer: Answer) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} Whatever", f"Content-Type: {answer.kind}"]
    if answer.status != 204:
        lines.append(f"Content-Length: {len(answer.body)}")
    if answer.location is not None:
        lines.append(f"Location: {answer.location}")
    return "\r\n".join([*lines, "", ""]).encode()


def _json(value: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode())


def _error(status: int, words: str) -> Answer:
    return Answer(status, json.dumps({"error": words}).encode())
