"""What the tills have acknowledged: heard on `usage/ack/{till}`, checked, and kept in the store.

An acknowledgement is cumulative, so only the newest of each till matters, and a lower one never takes a higher
one back.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from functools import partial

import sqlalchemy as sa
import structlog
from aiomqtt import Message as Arrived
from pydantic import ValidationError

from fabd.clock import now
from fabd.config.model import ID_PATTERN
from fabd.messages import Message
from fabd.metering import ledger
from fabd.reporting.link import Link
from fabd.reporting.schemas import Ack, root, why_unreadable
from fabd.store import Connection, Store
from fabd.store.schema import till

log = structlog.get_logger(__name__)

MOST_TILLS = 16
"""How many tills may make themselves known where the configuration names none."""


def waited_for(c: Connection, named: Sequence[str], ledger_id: str) -> dict[str, int]:
    """The newest entry of this ledger that each till which counts has acknowledged; 0 for none.

    Those count that the configuration names; while it names none, all that ever acknowledged something.
    """
    stored = {row.name: row.acknowledged_seq if row.book == ledger_id else 0 for row in c.execute(sa.select(till))}
    return {name: stored.get(name, 0) for name in (named or sorted(stored))}


class Acknowledgements:
    """Keeps the table `till` true for one site; `run` is its part of one connection."""

    def __init__(self, store: Store, site: str, named: Sequence[str]) -> None:
        self._store = store
        self._filter = f"{root(site)}/usage/ack/+"
        self._named = named
        self._new: dict[str, Ack] = {}
        self._wake = asyncio.Event()
        self._strangers: set[str] = set()
        self._rejections: dict[str, frozenset[str]] = {}

    async def run(self, link: Link) -> None:
        """Serve one connection until it is lost. What arrives during a commit is kept in the next, all at once."""
        await link.subscribe(self._filter, self._hear)
        while True:
            await self._wake.wait()
            self._wake.clear()
            new, self._new = self._new, {}
            wrong = await self._store.transaction(partial(_keep, new=new, named=self._named))
            for name, ack in new.items():
                if name in wrong:
                    log.warning(wrong[name].code, **wrong[name].params)
                else:
                    self._tell_of_rejections(name, ack)

    def _hear(self, message: Arrived) -> None:
        topic = message.topic.value
        name = topic.rpartition("/")[2]
        try:
            ack = Ack.model_validate_json(message.payload)
        except ValidationError as error:
            log.warning("till-message-unreadable", topic=topic, detail=why_unreadable(error))
            return
        if not re.fullmatch(ID_PATTERN, name):
            log.warning("till-message-unreadable", topic=topic, detail="till")
        elif self._named and name not in self._named:
            self._tell_of_stranger(name)
        else:
            self._new[name] = ack
            self._wake.set()

    def _tell_of_stranger(self, name: str) -> None:
        if name not in self._strangers and len(self._strangers) < MOST_TILLS:
            self._strangers.add(name)
            log.warning("till-unknown", till=name)

    def _tell_of_rejections(self, name: str, ack: Ack) -> None:
        """Each acknowledgement repeats them all; each is told once."""
        known = self._rejections.get(name, frozenset())
        for rejected in ack.rejected:
            if rejected.id not in known:
                log.warning("till-rejected", till=name, entry=rejected.id, reason=rejected.reason)
        self._rejections[name] = frozenset(rejected.id for rejected in ack.rejected)


def _keep(c: Connection, new: Mapping[str, Ack], named: Sequence[str]) -> dict[str, Message]:
    """Store the acknowledgements that hold; says of which tills they do not, and why."""
    newest = ledger.head(c)
    book, head = ("-", 0) if newest is None else (newest.book, newest.seq)
    known = {row.name: row for row in c.execute(sa.select(till))}
    names, wrong = set(known), {}
    for name, ack in new.items():
        if ack.ledger != book:
            wrong[name] = Message(code="till-other-ledger", params={"till": name, "found": ack.ledger, "ledger": book})
        elif ack.seq > head:
            wrong[name] = Message(code="till-beyond-head", params={"till": name, "seq": ack.seq, "head": head})
        elif name not in names and not named and len(names) >= MOST_TILLS:
            wrong[name] = Message(code="till-too-many", params={"till": name, "count": len(names)})
        else:
            names.add(name)
            _raise_to(c, name, ack, known.get(name))
    return wrong


def _raise_to(c: Connection, name: str, ack: Ack, row: sa.Row[tuple[object, ...]] | None) -> None:
    values = {"book": ack.ledger, "acknowledged_seq": ack.seq, "acknowledged_at": now()}
    if row is None:
        c.execute(sa.insert(till).values(name=name, **values))
    elif row.book != ack.ledger or row.acknowledged_seq < ack.seq:
        c.execute(sa.update(till).where(till.c.name == name).values(**values))
