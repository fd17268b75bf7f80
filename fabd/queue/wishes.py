"""Makes the attempt under way do what its row says that people want of it: pause, go on, end."""

import asyncio
from collections.abc import Callable
from functools import partial

import structlog

from fabd.drivers.session import Session
from fabd.errors import FabdError
from fabd.model import JobState, Message
from fabd.queue import rows, states
from fabd.queue.attempt import OpenAttempt
from fabd.store import Connection, Store
from fabd.tasks import end, own

log = structlog.get_logger(__name__)


class Wishes:
    """Follows the wishes about one attempt.

    `under_way` gives the attempt once it is begun; `cancel` ends it, and is told who wanted that.
    """

    def __init__(
        self,
        store: Store,
        session: Session,
        attempt_id: int,
        under_way: Callable[[], OpenAttempt | None],
        cancel: Callable[[str], None],
    ) -> None:
        self._store = store
        self._session = session
        self._attempt_id = attempt_id
        self._under_way = under_way
        self._cancel = cancel

    async def follow(self) -> None:
        """Follow until somebody cancels the attempt. A machine may take a while to pause; a cancel does not wait."""
        paused = await self._store.read(lambda c: _seems_paused(c, self._attempt_id))
        pausing: asyncio.Task[bool] | None = None
        try:
            while True:
                seen = self._store.version
                wish, by = await self._store.read(lambda c: rows.wish_of(c, self._attempt_id))
                if wish == "cancel":
                    self._cancel(by or "-")
                    return
                if pausing is not None and pausing.done():
                    paused, pausing = pausing.result(), None
                attempt = self._under_way()
                if pausing is None and attempt is not None and paused is not (wish == "pause"):
                    pausing = own(self._change(attempt, pause=not paused), f"pause {self._attempt_id}")
                await self._news(seen, pausing)
        finally:
            if pausing is not None:
                await end(pausing)

    async def _news(self, seen: int, pausing: "asyncio.Task[bool] | None") -> None:
        """Wait for a change of the store, or for the end of `pausing`."""
        changed = own(self._store.changed(seen), f"changed {self._attempt_id}")
        try:
            awaited = [changed] if pausing is None else [changed, pausing]
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end(changed)

    async def _change(self, attempt: OpenAttempt, *, pause: bool) -> bool:
        """Pause the machine, or have it go on, and write down how that went; whether it is paused now."""
        failed: Message | None = None
        if pause:
            attempt.shut()
        try:
            await (self._session.pause() if pause else self._session.resume())
        except FabdError as error:
            log.warning("pause or resume failed", machine=self._session.machine, why=str(error))
            failed = error.message
        paused = pause if failed is None else not pause
        if not paused:
            attempt.open()
        await self._store.transaction(partial(_write_paused, attempt_id=self._attempt_id, paused=paused, failed=failed))
        return paused


def _seems_paused(c: Connection, attempt_id: int) -> bool:
    """Whether an attempt that was begun before is to be resumed first; one that shall be paused is paused again."""
    wish, _ = rows.wish_of(c, attempt_id)
    return wish != "pause" and rows.job_row(c, rows.job_of_attempt(c, attempt_id)).state == JobState.STOPPED


def _write_paused(c: Connection, *, attempt_id: int, paused: bool, failed: Message | None) -> None:
    job_id = rows.job_of_attempt(c, attempt_id)
    to = JobState.STOPPED if paused else JobState.PROCESSING
    reasons = [failed] if failed is not None else [Message(code="paused")] if paused else []
    if rows.job_row(c, job_id).state == to:
        rows.set_reasons(c, job_id, *reasons)
    else:
        states.move(c, job_id, to, *reasons)
    if failed is not None:  # nobody waits for it any more: it can be wished for again
        _, by = rows.wish_of(c, attempt_id)
        rows.wish(c, attempt_id, "pause" if paused else None, by or "-")
