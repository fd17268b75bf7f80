"""How autonomous somebody is on a kind of machine, and what a failure costs at that level."""

from datetime import datetime

import sqlalchemy as sa

from fabd.config.model import Charged, Configuration, Level
from fabd.errors import NotFound, Refused
from fabd.model import Fault, Outcome
from fabd.store import Connection
from fabd.store.schema import level_grant


def level_by_id(config: Configuration, level_id: str) -> Level:
    """The level of that name; raises `NotFound`, naming those that there are."""
    for level in config.levels:
        if level.id == level_id:
            return level
    raise NotFound("level-not-found", level=level_id, levels=", ".join(level.id for level in config.levels))


def granted(c: Connection, member_id: str, kind: str, at: datetime) -> str | None:
    """The level id that `member_id` holds on `kind` at `at`; `None` without a grant in force.

    The newest row alone counts: a grant replaces the one before, so one that has expired or was revoked leads back
    to the default level, never up to an older grant. "Newest" is the order of writing, which no clock can upset.
    """
    newest = c.execute(
        sa.select(level_grant.c.action, level_grant.c.level, level_grant.c.until)
        .where(level_grant.c.member == member_id, level_grant.c.kind == kind)
        .order_by(level_grant.c.seq.desc())
        .limit(1)
    ).one_or_none()
    if newest is None or newest.action == "revoke" or (newest.until is not None and newest.until <= at):
        return None
    return str(newest.level)


def level_of(c: Connection, config: Configuration, member_id: str | None, kind: str, at: datetime) -> Level:
    """The level of `member_id` (`None`: a walk-in) on machines of `kind` at `at`.

    Raises `Refused` when the level that was granted is no longer configured: nobody is moved to another level unseen.
    """
    level_id = None if member_id is None else granted(c, member_id, kind, at)
    if level_id is None:
        return level_by_id(config, config.default_level)
    try:
        return level_by_id(config, level_id)
    except NotFound as error:
        raise Refused("level-of-grant-gone", member=str(member_id), kind=kind, level=level_id) from error


def charged_for(level: Level, outcome: Outcome, fault: Fault) -> Charged:
    """What an attempt costs: all that was measured when the piece is good, else by whose fault it is not.

    An attempt that did not complete, and for which nobody named a fault yet, is at fault `unknown`.
    """
    if fault is Fault.NONE:
        return "measured" if outcome is Outcome.COMPLETED else level.failure.unknown
    by_fault: dict[Fault, Charged] = {
        Fault.MACHINE: level.failure.machine,
        Fault.OPERATOR: level.failure.operator,
        Fault.MEMBER: level.failure.member,
        Fault.UNKNOWN: level.failure.unknown,
    }
    return by_fault[fault]
