"""Keeps the latest of what OctoPrint says: pushed by it, or asked for where push is blocked or silent."""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import structlog

from fabd.drivers.octoprint_push import Push
from fabd.drivers.octoprint_rest import Rest
from fabd.drivers.octoprint_state import Ended, Snapshot, end_of, of_push
from fabd.errors import LinkLost
from fabd.tasks import end, own

POLL_S = 1.0
"""How often OctoPrint is asked where it does not push."""
PUSH_AGAIN_S = 60.0
"""After how long a push that was blocked is tried again."""
SILENT_S = 5.0
"""OctoPrint pushes every second while it has a printer. Silent for this long, it is asked whether it is still there."""

log = structlog.get_logger(__name__)


class Watch:
    """One connection's view of OctoPrint. `snapshot` is the latest; `ended` the last end of a print of each file."""

    def __init__(self, rest: Rest, url: str, tls: ssl.SSLContext | None) -> None:
        self._rest = rest
        self._url = url
        self._tls = tls
        self._snapshot: Snapshot | None = None
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.ended: dict[str, Ended] = {}
        self.paused_by: str | None = None
        """Who paused the print, where OctoPrint told it."""
        self._push: Push | None = None

    async def open(self) -> None:
        """Look once, and go on looking; raises `LinkLost`."""
        self._snapshot = await self._rest.look()
        await self._try_push()
        self._task = own(self._keep(), f"watch {self._url}")

    async def close(self) -> None:
        if self._task is not None:
            await end(self._task)
        if self._push is not None:
            await self._push.close()

    @property
    def snapshot(self) -> Snapshot:
        """The latest known; raises the `LinkLost` that ended the watch."""
        self.check()
        assert self._snapshot is not None, "used before it was opened"
        return self._snapshot

    def check(self) -> None:
        """Raises the `LinkLost` that ended the watch, if one did: from then on nothing is known."""
        if self._task is not None and self._task.done():
            self._task.result()

    async def news(self) -> None:
        """Wait until OctoPrint says something; raises the `LinkLost` that ended the watch."""
        assert self._task is not None, "used before it was opened"
        self._news.clear()
        heard = own(self._news.wait(), f"news {self._url}")
        try:
            await asyncio.wait([heard, self._task], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end(heard)
        self.check()

    async def until(self, true: Callable[[Snapshot], bool]) -> Snapshot:
        """Wait until OctoPrint is so; raises `LinkLost`."""
        while not true(snapshot := self.snapshot):
            await self.news()
        return snapshot

    async def refresh(self) -> None:
        """Ask how it stands now; raises `LinkLost`."""
        self._take(await self._rest.look())

    @property
    def pushes(self) -> bool:
        """Whether OctoPrint pushes; else it is asked."""
        return self._push is not None

    async def _keep(self) -> None:
        """Never returns; raises `LinkLost`, also when a push that was open ends."""
        while self._push is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(PUSH_AGAIN_S):
                    await self._poll()
            await self._try_push()
        await self._listen(self._push)

    async def _try_push(self) -> None:
        ticket = await self._rest.push_ticket()
        try:
            self._push = await Push.open(self._url, ticket, self._tls)
        except LinkLost as blocked:
            if self._task is None:  # said once for each connection
                log.warning("OctoPrint is asked every second", url=self._url, why=str(blocked))

    async def _poll(self) -> None:
        while True:
            self._take(await self._rest.look())
            await asyncio.sleep(POLL_S)

    async def _listen(self, push: Push) -> None:
        """Take what is pushed; ask in between where nothing is."""
        listening = own(self._hear(push), f"push {self._url}")
        try:
            while True:
                heard = self._snapshot
                await asyncio.wait([listening], timeout=SILENT_S)
                if listening.done():
                    listening.result()
                elif self._snapshot is heard:
                    self._take(await self._rest.look())
        finally:
            await end(listening)

    async def _hear(self, push: Push) -> None:
        async for message in push.messages():
            try:
                self._understand(message)
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                raise LinkLost("octoprint-unreadable", url=self._url, detail=repr(error)) from error

    def _understand(self, message: Mapping[str, Any]) -> None:
        for kind, content in message.items():
            if kind in ("current", "history"):
                assert self._snapshot is not None
                self._take(of_push(content, self._snapshot.temperatures))
            elif kind == "event":
                self._note(content)
            elif kind == "reauthRequired":
                raise LinkLost("octoprint-push-lost", url=self._url, detail=kind)

    def _note(self, event: Mapping[str, Any]) -> None:
        ended = end_of(event)
        if ended is not None:
            before = self.ended.get(ended.file)
            if before is None or before.end is not ended.end:  # a cancel is told twice; the first says where it was
                self.ended[ended.file] = ended
        elif event["type"] == "PrintStarted":
            self.ended.pop(str(event["payload"]["path"]), None)
        elif event["type"] in ("PrintPaused", "PrintResumed"):
            self.paused_by = event["payload"].get("user") if event["type"] == "PrintPaused" else None
        self._news.set()

    def _take(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._news.set()
