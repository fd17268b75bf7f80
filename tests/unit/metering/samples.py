"""A café with one machine of each kind, and the rows that a charge needs."""

import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

import sqlalchemy as sa

from fabd.config.model import (
    Configuration,
    FabdFile,
    Level,
    LevelsFile,
    Machine,
    Material,
    MaterialsFile,
    Site,
    Tariff,
    TariffFile,
)
from fabd.config.read import DEFAULTS
from fabd.metering import ledger
from fabd.metering.meter import Measured
from fabd.metering.tariff import Line
from fabd.model import Fault, Meter, Method, Outcome
from fabd.store import Connection
from fabd.store.schema import attempt, job

AT = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)

LEVELS = LevelsFile.model_validate(tomllib.loads((DEFAULTS / "levels.toml").read_text()))
TARIFFS = TariffFile.model_validate(tomllib.loads((DEFAULTS / "tariff.toml").read_text()))
MATERIALS = MaterialsFile.model_validate(tomllib.loads((DEFAULTS / "materials.toml").read_text()))

PRINTER = Machine(id="prusa-1", name="Prusa du fond", kind="printer", driver="marlin")
CUTTER = Machine(id="cutter-1", name="Découpeuse", kind="cutter", driver="hpgl")
EMBROIDERER = Machine(id="brother-1", name="Brodeuse", kind="embroiderer", driver="embroidery")

CONFIG = Configuration(
    fabd=FabdFile(site=Site(id="wazemmes", name="POP Café Wazemmes")),
    machines=(PRINTER, CUTTER, EMBROIDERER),
    materials=MATERIALS.material,
    lots=MATERIALS.lot,
    levels=LEVELS.level,
    default_level=LEVELS.default,
    tariffs=TARIFFS.tariff,
)
EXAMPLE = CONFIG.tariffs[0]


def level(level_id: str) -> Level:
    return next(level for level in CONFIG.levels if level.id == level_id)


def material(material_id: str) -> Material:
    return next(material for material in CONFIG.materials if material.id == material_id)


def tariff(*components: dict[str, object], version: str = "test/1") -> Tariff:
    """A tariff of `components`, each with a label and a VAT code of its own where it says none."""
    usual = {"label": {"en": "thing", "fr": "chose"}, "vat": "FR20"}
    shape = {"version": version, "effective_from": "2026-01-01", "component": [usual | one for one in components]}
    return Tariff.model_validate(shape)


def measured(quantities: Mapping[Meter, int], method: Method = Method.ODOMETER) -> dict[Meter, Measured]:
    return {meter: Measured(qty=qty, method=method) for meter, qty in quantities.items()}


def line(ttc_cents: int = 342, *, qty: int = 42700, coef: str = "1.00") -> Line:
    return Line(
        sku="PRN-PLA",
        label="Filament PLA",
        meter=Meter.FILAMENT_MG,
        qty=qty,
        method=Method.ODOMETER,
        price_micro=80,
        coef=Decimal(coef),
        ttc_cents=ttc_cents,
        vat="FR20",
    )


def add_attempt(c: Connection, job_id: int = 412, number: int = 1, ticket: str = "K7") -> int:
    """The row of an attempt that has ended, with its job where there is none yet; returns the attempt's row id."""
    if c.execute(sa.select(job.c.id).where(job.c.id == job_id)).first() is None:
        values = {
            "id": job_id,
            "state": "completed",
            "reasons": [],
            "title": "vase.gcode",
            "sha256": "0" * 64,
            "format": "gcode",
            "kind": "printer",
            "copies": 1,
            "copies_done": 1,
            "priority": 50,
            "quote": {},
            "terms": {},
            "submitted_by": "pi",
            "submitted_at": AT,
            "changed_at": AT,
        }
        c.execute(sa.insert(job).values(values))
    done = c.execute(
        sa.insert(attempt).values(
            job=job_id,
            number=number,
            machine="prusa-1",
            ticket=ticket,
            state="ended",
            lot={},
            claimed_at=AT,
            reasons=[],
            fault="none",
        )
    )
    assert done.inserted_primary_key is not None
    return int(done.inserted_primary_key[0])


def charge(attempt_id: int, **changes: object) -> ledger.Charge:
    """The charge of a finished print by a walk-in; `changes` replace fields."""
    fields: dict[str, object] = {
        "job": 412,
        "attempt_id": attempt_id,
        "attempt": 1,
        "machine": "prusa-1",
        "machine_kind": "printer",
        "member": "walk-in",
        "payer": "walk-in",
        "level": "served",
        "tariff": "example",
        "outcome": Outcome.COMPLETED,
        "fault": Fault.NONE,
        "charged": "measured",
        "measured": measured({Meter.FILAMENT_MG: 42700}),
        "lines": (line(),),
        "material": "pla",
        "material_is_default": True,
    }
    return ledger.Charge(**(fields | changes))  # type: ignore[arg-type]
