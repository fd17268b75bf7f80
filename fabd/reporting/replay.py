"""Answers tills that ask for older entries again: `usage/replay` `{ledger, from, to}`.

The answer goes to `usage`, or over MQTT 5 to the response topic of whoever asked.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from functools import partial

import structlog
from aiomqtt import Message
from pydantic import ValidationError

from fabd.metering import ledger
from fabd.reporting.feed import BATCH, publish_entry
from fabd.reporting.link import Link, TopicRefused
from fabd.reporting.schemas import MOST_REPLAYED, Replay, root, why_unreadable
from fabd.store import Store

log = structlog.get_logger(__name__)

MOST_WAITING = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class _Request:
    replay: Replay
    topic: str
    correlation: bytes | None


class Replays:
    """Serves the replay requests of one site, one at a time; `run` is its part of one connection."""

    def __init__(self, store: Store, site: str) -> None:
        self._store = store
        self._root = root(site)
        self._waiting: deque[_Request] = deque()
        self._wake = asyncio.Event()

    async def run(self, link: Link) -> None:
        """Serve one connection until it is lost; what was asked before it is asked again by whoever still wants it."""
        self._waiting.clear()
        await link.subscribe(f"{self._root}/usage/replay", self._hear)
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._answer(link, self._waiting.popleft())

    def _hear(self, message: Message) -> None:
        if message.retain:
            return  # a retained request would be answered after each reconnect, for ever
        try:
            replay = Replay.model_validate_json(message.payload)
        except ValidationError as error:
            log.warning("till-message-unreadable", topic=message.topic.value, detail=why_unreadable(error))
            return
        topic: str = getattr(message.properties, "ResponseTopic", f"{self._root}/usage")
        if not self._may_answer_on(topic):
            log.warning("till-replay-topic-refused", topic=topic)
        elif len(self._waiting) == MOST_WAITING:
            log.warning("till-replay-busy", count=MOST_WAITING)
        else:
            correlation: bytes | None = getattr(message.properties, "CorrelationData", None)
            self._waiting.append(_Request(replay=replay, topic=topic, correlation=correlation))
            self._wake.set()

    def _may_answer_on(self, topic: str) -> bool:
        """Whether nobody could take the answer for something else that we say."""
        if topic == f"{self._root}/usage" or topic.startswith(f"{self._root}/usage/reply/"):
            return not set(topic) & set("+#")
        return bool(topic) and not topic.startswith(("fab/", "$")) and not set(topic) & set("+#")

    async def _answer(self, link: Link, request: _Request) -> None:
        asked = request.replay
        head = await self._store.read(ledger.head)
        if head is None or asked.ledger != head.book or not 0 < asked.from_ <= asked.to <= head.seq:
            book = "-" if head is None else head.book
            log.warning("till-replay-refused", first=asked.from_, last=asked.to, found=asked.ledger, ledger=book)
            return
        last = min(asked.to, asked.from_ + MOST_REPLAYED - 1)
        if last < asked.to:
            log.warning("till-replay-shortened", first=asked.from_, last=asked.to, count=MOST_REPLAYED)
        try:
            await self._publish(link, request, last)
        except TopicRefused as refused:
            log.warning(refused.message.code, **refused.message.params)

    async def _publish(self, link: Link, request: _Request, last: int) -> None:
        cursor = request.replay.from_ - 1
        while cursor < last:
            limit = min(BATCH, last - cursor)
            for entry in await self._store.read(partial(ledger.entries, after=cursor, limit=limit)):
                await publish_entry(link, request.topic, entry, request.correlation)
                cursor = entry.seq
