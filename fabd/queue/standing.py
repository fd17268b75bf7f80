"""What the house knows of each machine beyond its configuration: ready, loaded, closed. Rows, nothing else."""

from dataclasses import dataclass

import sqlalchemy as sa

from fabd.clock import now
from fabd.config import Configuration
from fabd.config.load import material_for
from fabd.config.model import Machine
from fabd.errors import NotFound
from fabd.model import Message
from fabd.queue.says import from_json
from fabd.queue.terms import LoadedLot
from fabd.store import Connection
from fabd.store.schema import attempt, attempt_is_open, machine


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How a machine stands, as its row says. A new machine is not ready: nobody has looked at its bed yet."""

    ready: bool = False
    paused: bool = False
    lot: LoadedLot | None = None
    closed: Message | None = None
    owes_stop: bool = False


def configured(config: Configuration, machine_id: str) -> Machine:
    """The machine called so; raises `NotFound` with those that exist."""
    for candidate in config.machines:
        if candidate.id == machine_id:
            return candidate
    known = ", ".join(candidate.id for candidate in config.machines)
    raise NotFound("machine-unknown", machine=machine_id, known=known or "-")


def look(c: Connection, config: Configuration, of: Machine) -> Standing:
    """How `of` stands; its default material where nobody loaded anything."""
    row = c.execute(sa.select(machine).where(machine.c.id == of.id)).first()
    default = material_for(config, of)
    taken = None if default is None else LoadedLot(material=default)
    if row is None:
        return Standing(ready=of.clears_itself, lot=taken)
    return Standing(
        ready=row.ready or of.clears_itself,
        paused=row.paused,
        lot=taken if row.lot is None else LoadedLot.model_validate(row.lot),
        closed=next(iter(from_json(row.closed or [])), None),
        owes_stop=row.owes_stop,
    )


def write(c: Connection, machine_id: str, **values: object) -> None:
    """Change the named columns of a machine's row; it is made where there is none."""
    done = c.execute(machine.update().where(machine.c.id == machine_id).values(changed_at=now(), **values))
    if done.rowcount == 0:
        fresh: dict[str, object] = {"ready": False, "paused": False, "lot": None, "owes_stop": False}
        c.execute(machine.insert().values(id=machine_id, changed_at=now(), **(fresh | values)))


def open_attempt(c: Connection, machine_id: str) -> sa.Row[tuple[object, ...]] | None:
    """The attempt that a machine has under way, as its row; `None` when it has none."""
    return c.execute(sa.select(attempt).where(attempt.c.machine == machine_id, attempt_is_open)).first()
