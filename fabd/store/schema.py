"""All tables, in one place. A change here is a new numbered migration beside it, with its test.

Rules: instants are timezone-aware; money is integers; JSON columns hold what nobody searches by. Rows of
`entry` are never updated or deleted; what may be erased about a person (names, file names, free text)
stands in other tables.
"""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa


class Instant(sa.types.TypeDecorator[datetime]):
    """A point in time: aware datetimes in and out, stored in UTC."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: object) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a naive datetime reached the store: {value}")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, _dialect: object) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# --- who ---------------------------------------------------------------------------------------------

member = sa.Table(
    "member",
    metadata,
    sa.Column("id", sa.String, primary_key=True),  # what people type: `alice`
    sa.Column("pseudonym", sa.String, nullable=False, unique=True),  # what the ledger knows: `m_9c1f...`
    sa.Column("name", sa.String),
    sa.Column("customer", sa.String),  # the till's own reference
    sa.Column("facilitator", sa.Boolean, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
)

level_grant = sa.Table(  # append-only
    "level_grant",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("member", sa.ForeignKey("member.id"), nullable=False, index=True),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("action", sa.String, nullable=False),  # grant | revoke
    sa.Column("level", sa.String, nullable=False),
    sa.Column("granted_by", sa.String),
    sa.Column("granted_at", Instant, nullable=False),
    sa.Column("until", Instant),
    sa.Column("why", sa.String),
)

# --- what --------------------------------------------------------------------------------------------

program = sa.Table(  # one row for each analysed file; its bytes lie under `files/`
    "program",
    metadata,
    sa.Column("sha256", sa.String, primary_key=True),  # as it was brought
    sa.Column("format", sa.String, nullable=False),
    sa.Column("runs_sha256", sa.String, nullable=False),
    sa.Column("size_bytes", sa.Integer, nullable=False),
    sa.Column("program", sa.JSON, nullable=False),
    sa.Column("analysed_at", Instant, nullable=False),
)

job = sa.Table(
    "job",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("state", sa.String, nullable=False, index=True),  # see queue/states.py
    sa.Column("reasons", sa.JSON, nullable=False),  # [{code, params}]
    sa.Column("title", sa.String, nullable=False),
    sa.Column("sha256", sa.String, nullable=False),
    sa.Column("format", sa.String, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("member", sa.ForeignKey("member.id")),  # null: a walk-in without a name
    sa.Column("payer", sa.ForeignKey("member.id")),
    sa.Column("machine_wanted", sa.String),
    sa.Column("material_wanted", sa.String),
    sa.Column("copies", sa.Integer, nullable=False),
    sa.Column("copies_done", sa.Integer, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("quote", sa.JSON, nullable=False),  # views.QuoteView
    sa.Column("terms", sa.JSON, nullable=False),  # the level and the tariff that the quote froze, whole
    sa.Column("released_by", sa.String),  # the facilitator who let it start, where the level asks for one
    sa.Column("submitted_by", sa.String, nullable=False),  # account, and person where known
    sa.Column("submitted_at", Instant, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    sa.Column("idempotency_key", sa.String, unique=True),
)

reservation = sa.Table(
    "reservation",
    metadata,
    sa.Column("job", sa.ForeignKey("job.id"), primary_key=True),
    sa.Column("member", sa.ForeignKey("member.id")),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("quantities", sa.JSON, nullable=False),  # {meter: whole number}
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("released_at", Instant),
)

attempt = sa.Table(
    "attempt",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("job", sa.ForeignKey("job.id"), nullable=False, index=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("machine", sa.String, nullable=False, index=True),
    sa.Column("ticket", sa.String, nullable=False),
    sa.Column("state", sa.String, nullable=False, index=True),  # claimed | running | ended
    sa.Column("wish", sa.String),  # pause | cancel: what somebody wants of it; the worker follows
    sa.Column("wished_by", sa.String),
    sa.Column("lot", sa.JSON, nullable=False),  # the material on the machine when it started
    sa.Column("reading", sa.JSON),  # the last checkpoint
    sa.Column("claimed_at", Instant, nullable=False),
    sa.Column("started_at", Instant),
    sa.Column("ended_at", Instant),
    sa.Column("outcome", sa.String),
    sa.Column("reasons", sa.JSON, nullable=False),
    sa.Column("fault", sa.String, nullable=False),
    sa.UniqueConstraint("job", "number"),
)
attempt_is_open = attempt.c.state != sa.literal("ended", literal_execute=True)
"""Written out in each query, not bound: only so is the index used, and years of ended attempts cost nothing."""
sa.Index(  # whatever goes wrong, a machine has one open attempt at most
    "uq_attempt_open",
    attempt.c.machine,
    unique=True,
    sqlite_where=attempt.c.state != "ended",
    postgresql_where=attempt.c.state != "ended",
)

machine = sa.Table(  # what a restart must know of a machine; what it is stands in the configuration
    "machine",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("ready", sa.Boolean, nullable=False),  # a person said so
    sa.Column("paused", sa.Boolean, nullable=False),  # takes no new job until a person resumes it
    sa.Column("lot", sa.JSON),  # loaded by a person; null: the default material
    sa.Column("closed", sa.JSON),  # why a person took it out of use, as [{code, params}]; null: it is not
    sa.Column("owes_stop", sa.Boolean, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
)

prompt = sa.Table(
    "prompt",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("machine", sa.String, nullable=False),
    sa.Column("attempt", sa.ForeignKey("attempt.id")),
    sa.Column("key", sa.String, nullable=False),
    sa.Column("code", sa.String, nullable=False),
    sa.Column("params", sa.JSON, nullable=False),
    sa.Column("choices", sa.JSON, nullable=False),
    sa.Column("asked_at", Instant, nullable=False),
    sa.Column("answer", sa.String),
    sa.Column("number", sa.Integer),
    sa.Column("answered_by", sa.String),
    sa.Column("answered_at", Instant),  # set without an answer: withdrawn, the attempt ended
    sa.UniqueConstraint("attempt", "key"),
)
sa.Index(  # what waits is asked for often, what was answered almost never
    "ix_prompt_open",
    prompt.c.machine,
    sqlite_where=prompt.c.answered_at.is_(None),
    postgresql_where=prompt.c.answered_at.is_(None),
)

# --- how much ----------------------------------------------------------------------------------------

book = sa.Table(  # which ledger this is, and which it was restored from
    "book",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("parent", sa.String),
    sa.Column("site", sa.String, nullable=False),
    sa.Column("opened_at", Instant, nullable=False),
)

entry = sa.Table(  # append-only: the ledger
    "entry",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("book", sa.ForeignKey("book.id"), nullable=False),
    sa.Column("id", sa.String, nullable=False, unique=True),  # UUIDv7, the event's id
    sa.Column("kind", sa.String, nullable=False),  # charge | reversal | closure | note
    sa.Column("at", Instant, nullable=False),
    sa.Column("attempt", sa.ForeignKey("attempt.id")),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("payer", sa.String, nullable=False),  # pseudonym
    sa.Column("reverses", sa.String, unique=True),  # the id of the entry that this one takes back
    sa.Column("data", sa.LargeBinary, nullable=False),  # canonical JSON: what is hashed, never re-derived
    sa.Column("prev", sa.String, nullable=False),
    sa.Column("hash", sa.String, nullable=False),
    sa.UniqueConstraint("attempt", "revision", "payer"),
)

tariff_used = sa.Table(  # a tariff version that priced something may not be edited afterwards
    "tariff_used",
    metadata,
    sa.Column("version", sa.String, primary_key=True),
    sa.Column("sha256", sa.String, nullable=False),
    sa.Column("first_used_at", Instant, nullable=False),
)

outbox = sa.Table(  # what the till must hear, in the order of the ledger
    "outbox",
    metadata,
    sa.Column("seq", sa.ForeignKey("entry.seq"), primary_key=True),
    sa.Column("sent_at", Instant),  # the broker acknowledged it, which proves nothing
)

till = sa.Table(
    "till",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("book", sa.ForeignKey("book.id")),
    sa.Column("acknowledged_seq", sa.Integer, nullable=False),
    sa.Column("acknowledged_at", Instant),
)
