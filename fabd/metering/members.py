"""The people, and what they were granted. Grants are append-only; the ledger knows a person's pseudonym only."""

import re
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Literal

import sqlalchemy as sa

from fabd import clock
from fabd.config.model import Configuration
from fabd.errors import Conflict, NotFound, Refused
from fabd.metering.levels import granted, level_by_id
from fabd.store import Connection
from fabd.store.schema import level_grant
from fabd.store.schema import member as member_table
from fabd.views import GrantView, MemberView

WALK_IN = "walk-in"
"""What the ledger writes for a visitor without a name."""
MEMBER_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}", re.ASCII)
"""As every id in the configuration: what people type, and topics carry."""
PSEUDONYM = re.compile(r"m_[0-9a-f]{12}", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A person. `customer` is the till's own reference; `pseudonym` is all that the ledger ever knows."""

    id: str
    pseudonym: str
    name: str | None
    customer: str | None
    facilitator: bool
    created_at: datetime


def add(
    c: Connection,
    member_id: str,
    *,
    name: str | None = None,
    customer: str | None = None,
    facilitator: bool = False,
    at: datetime,
) -> Member:
    """Add a member under a fresh pseudonym; raises `Refused` for an id that cannot be typed, `Conflict` if it exists."""
    if not MEMBER_ID.fullmatch(member_id):
        raise Refused("member-id-invalid", member=member_id)
    if c.execute(sa.select(member_table.c.id).where(member_table.c.id == member_id)).first() is not None:
        raise Conflict("member-exists", member=member_id)
    c.execute(
        sa.insert(member_table).values(
            id=member_id,
            pseudonym=f"m_{clock.token()}",
            name=name,
            customer=customer,
            facilitator=facilitator,
            created_at=at,
        )
    )
    return find(c, member_id)


def find(c: Connection, member_id: str) -> Member:
    """The member of that id; raises `NotFound`, suggesting ids that look alike."""
    row = c.execute(sa.select(member_table).where(member_table.c.id == member_id)).one_or_none()
    if row is not None:
        return Member(**row._asdict())
    near = get_close_matches(member_id, c.execute(sa.select(member_table.c.id)).scalars())
    if near:
        raise NotFound("member-not-found-near", member=member_id, near=", ".join(near))
    raise NotFound("member-not-found", member=member_id)


def all_members(c: Connection) -> tuple[Member, ...]:
    """Everybody, by id."""
    return tuple(Member(**row._asdict()) for row in c.execute(sa.select(member_table).order_by(member_table.c.id)))


def grant(
    c: Connection,
    config: Configuration,
    member_id: str,
    kind: str,
    level_id: str,
    *,
    by: str | None,
    at: datetime,
    until: datetime | None = None,
    why: str | None = None,
) -> None:
    """Give `member_id` a level on machines of `kind`, from now until `until`; it replaces the grant before.

    Raises `NotFound` for a member, kind or level that does not exist, `Refused` for an end that has passed.
    """
    find(c, member_id)
    if kind not in _kinds(config):
        raise NotFound("kind-not-found", kind=kind, kinds=", ".join(_kinds(config)))
    level_by_id(config, level_id)
    if until is not None and until <= at:
        raise Refused("grant-until-past", until=until.isoformat())
    _record(c, member_id, kind, "grant", level_id, by=by, at=at, until=until, why=why)


def revoke(c: Connection, member_id: str, kind: str, *, by: str | None, at: datetime, why: str | None) -> None:
    """Take back what `member_id` holds on `kind`; raises `Conflict` when there is nothing in force."""
    find(c, member_id)
    level_id = granted(c, member_id, kind, at)
    if level_id is None:
        raise Conflict("grant-none-in-force", member=member_id, kind=kind)
    _record(c, member_id, kind, "revoke", level_id, by=by, at=at, until=None, why=why)


def grants(c: Connection, member_id: str) -> tuple[GrantView, ...]:
    """All grants and revocations of `member_id`, in the order in which they were written."""
    find(c, member_id)
    rows = c.execute(sa.select(level_grant).where(level_grant.c.member == member_id).order_by(level_grant.c.seq))
    return tuple(
        GrantView(
            kind=row.kind,
            level=row.level,
            granted_by=row.granted_by,
            granted_at=row.granted_at,
            until=row.until,
            why=row.why,
            action=row.action,
        )
        for row in rows
    )


def view(c: Connection, config: Configuration, member_id: str, at: datetime) -> MemberView:
    """`member_id` as the API shows it: the level on each configured kind at `at`, and how it came to that."""
    member = find(c, member_id)
    return MemberView(
        id=member.id,
        name=member.name,
        facilitator=member.facilitator,
        customer=member.customer,
        pseudonym=member.pseudonym,
        levels={kind: granted(c, member.id, kind, at) or config.default_level for kind in _kinds(config)},
        grants=grants(c, member.id),
    )


def _kinds(config: Configuration) -> list[str]:
    return sorted({machine.kind for machine in config.machines})


def _record(
    c: Connection,
    member_id: str,
    kind: str,
    action: Literal["grant", "revoke"],
    level_id: str,
    *,
    by: str | None,
    at: datetime,
    until: datetime | None,
    why: str | None,
) -> None:
    c.execute(
        sa.insert(level_grant).values(
            member=member_id,
            kind=kind,
            action=action,
            level=level_id,
            granted_by=by,
            granted_at=at,
            until=until,
            why=why,
        )
    )
