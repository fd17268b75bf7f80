"""OctoPrint's push updates over its SockJS websocket: what it says, as it says it.

SockJS frames (SockJS protocol 0.3.3, "Protocol and framing"): `o` opens, `h` is a heartbeat, `a[...]` brings messages,
`c[code,"reason"]` closes. What goes up is a JSON array of strings. OctoPrint's messages are those of its manual,
"Push updates".
"""

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from fabd.clock import token
from fabd.errors import LinkLost

OPEN_S = 5.0
LONGEST_MESSAGE_BYTES = 4_194_304
"""The first message carries half an hour of temperatures; a megabyte would be much."""
THROTTLE = 2
"""One `current` message in so many half seconds."""
EVENTS = ["PrintStarted", "PrintDone", "PrintFailed", "PrintCancelled", "PrintPaused", "PrintResumed"]


class Push:
    """An open push connection. `async for` gives each message: a mapping with one key, which is its kind."""

    def __init__(self, url: str, connection: ClientConnection) -> None:
        self._url = url
        self._connection = connection

    @classmethod
    async def open(cls, url: str, ticket: str, tls: ssl.SSLContext | None) -> Self:
        """Open and subscribe; raises `LinkLost` where nobody takes websockets, or a proxy does not let them through.

        The subscription goes before the ticket, so that the first update is what was asked for, and no more.
        """
        address = "ws" + url.removeprefix("http") + f"/sockjs/000/{token(4)}/websocket"
        try:
            connection = await connect(
                address,
                ssl=tls,
                proxy=None,
                open_timeout=OPEN_S,
                close_timeout=1.0,
                max_size=LONGEST_MESSAGE_BYTES,
                user_agent_header=None,
            )
        except (OSError, WebSocketException) as error:  # a `TimeoutError` is an `OSError`
            raise LinkLost("octoprint-push-blocked", url=url, detail=str(error) or repr(error)) from error
        push = cls(url, connection)
        try:
            state = {"logs": False, "messages": False}
            await push._say({"subscribe": {"state": state, "plugins": [], "events": EVENTS}})
            await push._say({"auth": ticket})
            await push._say({"throttle": THROTTLE})
        except BaseException:
            await push.close()
            raise
        return push

    async def close(self) -> None:
        await self._connection.close()

    async def messages(self) -> AsyncIterator[Mapping[str, Any]]:
        """What comes, until the connection is gone; then, and for what is no message, raises `LinkLost`."""
        while True:
            try:
                frame = await self._connection.recv()
            except (OSError, WebSocketException) as error:
                raise LinkLost("octoprint-push-lost", url=self._url, detail=str(error) or repr(error)) from error
            for message in self._unpacked(frame):
                yield message

    def _unpacked(self, frame: str | bytes) -> list[Mapping[str, Any]]:
        kind, rest = frame[:1], frame[1:]
        if kind in ("o", "h"):
            return []
        try:
            found = json.loads(rest)
        except ValueError as error:
            raise self._garbled(frame) from error
        if kind == "c":
            raise LinkLost("octoprint-push-lost", url=self._url, detail=str(found))
        if kind != "a" or not isinstance(found, list) or not all(isinstance(message, dict) for message in found):
            raise self._garbled(frame)
        return found

    def _garbled(self, frame: str | bytes) -> LinkLost:
        return LinkLost("octoprint-unreadable", url=self._url, detail=repr(frame[:80]))

    async def _say(self, message: Mapping[str, Any]) -> None:
        try:
            await self._connection.send(json.dumps([json.dumps(message)]))
        except (OSError, WebSocketException) as error:
            raise LinkLost("octoprint-push-lost", url=self._url, detail=str(error) or repr(error)) from error
