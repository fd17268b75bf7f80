"""What jobs cost, for ever: charges, their reversals, and what the till is told of them. Append-only.

A correction is a full reversal and a new charge. Members appear as pseudonyms; the ticket and the till's customer
reference are added when an entry is shown, from rows that can be erased. `chain` writes the rows, `verify` checks them.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fabd.config.model import Charged
from fabd.errors import Conflict, NotFound, Refused
from fabd.metering.chain import CHAIN_KEYS, Book, Entry, EntryKind, append, entry_of, head, open_book, source
from fabd.metering.members import PSEUDONYM, WALK_IN
from fabd.metering.meter import Measured
from fabd.metering.tariff import Line, counts
from fabd.metering.verify import verify
from fabd.model import Fault, Meter, Outcome
from fabd.store import Connection
from fabd.store.schema import attempt as attempt_table
from fabd.store.schema import entry as entry_table
from fabd.store.schema import member as member_table
from fabd.views import EntryView

__all__ = [
    "Before",
    "Book",
    "Charge",
    "Entry",
    "EntryKind",
    "charged_before",
    "correct",
    "entries",
    "entry_at",
    "event",
    "head",
    "open_book",
    "post_charge",
    "reverse",
    "source",
    "standing",
    "totals",
    "verify",
]

EVENT_TYPE = "fabd.usage.v1"
CURRENCY = "EUR"
CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Charge:
    """What one attempt costs one payer, and all that the price was made from.

    `member`, `payer` and `facilitator` are pseudonyms, or "walk-in" for a visitor without a name.
    `measured` is all that was measured, `charged` says how much of it counts, `lines` are its prices. `revision` is 1 for
    an attempt's first charge, and one more for each correction.
    """

    job: int
    attempt_id: int
    attempt: int
    machine: str
    machine_kind: str
    member: str
    payer: str
    level: str
    tariff: str
    outcome: Outcome
    fault: Fault
    charged: Charged
    measured: Mapping[Meter, Measured]
    lines: tuple[Line, ...]
    revision: int = 1
    facilitator: str | None = None
    material: str | None = None
    lot: str | None = None
    material_is_default: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Before:
    """What a job's standing charges had of each meter; `first` while none of them was charged a flat fee."""

    quantities: Mapping[Meter, int]
    first: bool


def post_charge(c: Connection, book: Book, charge: Charge, at: datetime) -> Entry:
    """Write the charge of an attempt that has none standing.

    Raises `Conflict` when one stands, or when `charge.revision` does not follow the last one.
    """
    _must_match_its_attempt(c, charge)
    last = _last_charge(c, charge.attempt_id)
    if last is not None and _reversal_of(c, last.id) is None:
        raise Conflict("attempt-already-charged", job=charge.job, attempt=charge.attempt, seq=last.seq)
    expected = 1 if last is None else last.revision + 1
    if charge.revision != expected:
        raise Conflict("charge-not-newest", job=charge.job, attempt=charge.attempt, revision=expected - 1)
    return append(c, book, EntryKind.CHARGE, _charge_facts(charge), at=at, attempt=charge.attempt_id)


def reverse(c: Connection, book: Book, entry_id: str, at: datetime, why: str) -> Entry:
    """Take a charge back in full: the same lines, with quantities and cents negated. `why` is a code, not a sentence.

    Raises `NotFound`, `Refused` for an entry that is no charge, `Conflict` when it was reversed already.
    """
    if not CODE.fullmatch(why):
        raise ValueError(f"free text stays outside of the ledger: {why!r}")
    row = c.execute(sa.select(entry_table).where(entry_table.c.id == entry_id)).one_or_none()
    if row is None:
        raise NotFound("entry-id-not-found", entry=entry_id)
    charge = entry_of(row)
    if charge.kind is not EntryKind.CHARGE:
        raise Refused("entry-is-no-charge", seq=charge.seq, kind=charge.kind.value)
    if (reversal := _reversal_of(c, charge.id)) is not None:
        raise Conflict("entry-already-reversed", seq=charge.seq, by=reversal)
    return append(c, book, EntryKind.REVERSAL, _reversal_facts(charge, why), at=at, reverses=charge.id)


def correct(
    c: Connection, book: Book, attempt_id: int, charge: Charge, at: datetime, why: str = "corrected"
) -> tuple[Entry, Entry]:
    """Replace the standing charge of an attempt: its reversal, and `charge` in its place.

    `charge.revision` is one more than that of the charge which the caller has seen: of two people who correct the
    same charge at once, the second gets a `Conflict`. Raises `Conflict` too when no charge stands.
    """
    if charge.attempt_id != attempt_id:
        raise ValueError(f"a charge of attempt {charge.attempt_id} cannot correct attempt {attempt_id}")
    stands = standing(c, attempt_id)
    if stands is None:
        raise Conflict("attempt-not-charged", job=charge.job, attempt=charge.attempt)
    if charge.revision != stands.revision + 1:
        raise Conflict("charge-not-newest", job=charge.job, attempt=charge.attempt, revision=stands.revision)
    reversal = reverse(c, book, stands.id, at, why)
    return reversal, post_charge(c, book, charge, at)


def standing(c: Connection, attempt_id: int) -> Entry | None:
    """The charge of an attempt that nothing has reversed; `None` if there is none."""
    last = _last_charge(c, attempt_id)
    return None if last is None or _reversal_of(c, last.id) is not None else last


def totals(c: Connection, attempt_ids: Iterable[int]) -> dict[int, int]:
    """What each attempt costs, in cents, as its charges stand; attempts without one are left out."""
    charges = _standing_charges().where(entry_table.c.attempt.in_(list(attempt_ids)))
    stand = [entry_of(row) for row in c.execute(charges)]
    return {entry.attempt: entry.facts()["total_ttc_cents"] for entry in stand if entry.attempt is not None}


def charged_before(c: Connection, job: int, attempt: int | None = None) -> Before:
    """What the standing charges of `job` counted, for `price`; given `attempt`, only those of attempts before that number."""
    charges = _standing_charges().join(attempt_table, attempt_table.c.id == entry_table.c.attempt)
    charges = charges.where(attempt_table.c.job == job)
    if attempt is not None:
        charges = charges.where(attempt_table.c.number < attempt)
    quantities: Counter[Meter] = Counter()
    first = True
    for row in c.execute(charges):
        facts = entry_of(row).facts()
        first = first and not counts(Meter.FLAT, facts["charged"])
        for name, stored in facts["measured"].items():
            if counts(Meter(name), facts["charged"]):
                quantities[Meter(name)] += Measured.of(stored).qty
    return Before(quantities=dict(quantities), first=first)


def entries(c: Connection, after: int = 0, limit: int = 1000) -> list[EntryView]:
    """Up to `limit` entries numbered above `after`, in order, each with ticket and customer as they are known today."""
    query = _shown().where(entry_table.c.seq > after).order_by(entry_table.c.seq).limit(limit)
    return [_view(row) for row in c.execute(query)]


def entry_at(c: Connection, seq: int) -> EntryView:
    """The entry of that number, as `entries` shows it; raises `NotFound`."""
    row = c.execute(_shown().where(entry_table.c.seq == seq)).one_or_none()
    if row is None:
        raise NotFound("entry-not-found", seq=seq)
    return _view(row)


def event(entry: EntryView) -> dict[str, object]:
    """`entry` as a CloudEvents 1.0 envelope (JSON format, structured mode), ready for `json.dumps`. See `usage_event`."""
    return {
        "specversion": "1.0",
        "type": EVENT_TYPE,
        "source": entry.source,
        "id": entry.event_id,
        "time": entry.data["time"],
        "subject": f"job/{entry.data['job']}",
        "datacontenttype": "application/json",
        "ticket": entry.ticket,
        "customer": entry.customer,
        "data": entry.data,
    }


def _shown() -> sa.Select[Any]:
    """Entries with what may be erased beside them; a reversal has the ticket of the charge that it takes back."""
    taken_back = entry_table.alias()
    return (
        sa.select(entry_table, attempt_table.c.ticket, member_table.c.customer)
        .outerjoin(taken_back, taken_back.c.id == entry_table.c.reverses)
        .outerjoin(attempt_table, attempt_table.c.id == sa.func.coalesce(entry_table.c.attempt, taken_back.c.attempt))
        .outerjoin(member_table, member_table.c.pseudonym == entry_table.c.payer)
    )


def _view(row: sa.Row[Any]) -> EntryView:
    entry = entry_of(row)
    facts = entry.facts()
    return EntryView(
        seq=entry.seq,
        event_id=facts["id"],
        source=facts["source"],
        time=entry.at,
        ticket=row.ticket,
        customer=row.customer,
        data={**facts, "hash": entry.hash},
    )


def _standing_charges() -> sa.Select[Any]:
    reversal = entry_table.alias()
    taken_back = sa.exists().where(reversal.c.reverses == entry_table.c.id)
    return sa.select(entry_table).where(entry_table.c.kind == EntryKind.CHARGE.value, ~taken_back)


def _last_charge(c: Connection, attempt_id: int) -> Entry | None:
    query = sa.select(entry_table).where(entry_table.c.attempt == attempt_id)
    row = c.execute(query.order_by(entry_table.c.revision.desc()).limit(1)).one_or_none()
    return None if row is None else entry_of(row)


def _reversal_of(c: Connection, entry_id: str) -> int | None:
    """The number of the entry that takes `entry_id` back."""
    return c.execute(sa.select(entry_table.c.seq).where(entry_table.c.reverses == entry_id)).scalar_one_or_none()


def _must_match_its_attempt(c: Connection, charge: Charge) -> None:
    """A charge that names another job than its attempt's could never be told from a forged one again."""
    query = sa.select(attempt_table.c.job, attempt_table.c.number).where(attempt_table.c.id == charge.attempt_id)
    row = c.execute(query).one_or_none()
    if row is None or (row.job, row.number) != (charge.job, charge.attempt):
        raise ValueError(f"attempt {charge.attempt_id} is not attempt {charge.attempt} of job {charge.job}")


def _charge_facts(charge: Charge) -> dict[str, object]:
    for person in (charge.member, charge.payer, charge.facilitator):
        if person not in (None, WALK_IN) and not PSEUDONYM.fullmatch(str(person)):
            raise ValueError(f"the ledger knows people by their pseudonyms only, not as {person!r}")
    return {
        "job": str(charge.job),
        "attempt": charge.attempt,
        "revision": charge.revision,
        "machine": charge.machine,
        "machine_kind": charge.machine_kind,
        "member": charge.member,
        "payer": charge.payer,
        "facilitator": charge.facilitator,
        "level": charge.level,
        "tariff": charge.tariff,
        "outcome": charge.outcome.value,
        "fault": charge.fault.value,
        "why": None,
        "material": charge.material,
        "lot": charge.lot,
        "material_is_default": charge.material_is_default,
        "charged": charge.charged,
        "measured": {meter.value: measured.as_json() for meter, measured in charge.measured.items()},
        "lines": [line.as_json() for line in charge.lines],
        "total_ttc_cents": sum(line.ttc_cents for line in charge.lines),
        "currency": CURRENCY,
    }


def _reversal_facts(charge: Entry, why: str) -> dict[str, object]:
    facts = {key: value for key, value in charge.facts().items() if key not in CHAIN_KEYS}
    return facts | {
        "why": why,
        "measured": {meter: stored | _negated(stored) for meter, stored in facts["measured"].items()},
        "lines": [line | _negated(line) | {"ttc_cents": -line["ttc_cents"]} for line in facts["lines"]],
        "total_ttc_cents": -facts["total_ttc_cents"],
    }


def _negated(stored: Mapping[str, Any]) -> dict[str, str]:
    return {"qty": str(-int(stored["qty"]))}
