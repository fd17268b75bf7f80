"""The price of measured quantities, by one dated and immutable version of the tariff."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from fabd.config.model import Charged, Component, Configuration, Labels, Level, Machine, Material, Tariff
from fabd.errors import ConfigError
from fabd.messages import Message
from fabd.metering.canonical import canonical, sha256_hex
from fabd.metering.meter import Measured
from fabd.model import Meter, Method
from fabd.store import Connection
from fabd.store.schema import tariff_used

EXAMPLE = "example"
"""The version of the tariff that fabd ships; quotes and checks say so until a café writes its own."""
MATERIAL_METERS = frozenset({Meter.FILAMENT_MG, Meter.VINYL_MM})
"""What a failure still costs where only its material is charged."""
MICRO_PER_CENT = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One priced quantity: `ttc_cents` is `qty` x `price_micro` x `coef`, tax included, rounded once, half up.

    `qty` is what is billed, in the meter's unit, after step and free quantity; what was measured stands beside the
    lines in the ledger.
    """

    sku: str
    label: str
    meter: Meter
    qty: int
    method: Method
    price_micro: int
    coef: Decimal
    ttc_cents: int
    vat: str

    def as_json(self) -> dict[str, object]:
        """The line as the ledger writes it and the till reads it: quantity and coefficient are text."""
        return {
            "sku": self.sku,
            "label": self.label,
            "meter": self.meter.value,
            "qty": str(self.qty),
            "method": self.method.value,
            "price_micro": self.price_micro,
            "coef": f"{self.coef:f}",
            "ttc_cents": self.ttc_cents,
            "vat": self.vat,
        }


def day_of(config: Configuration, at: datetime) -> date:
    """The day that the café's calendar shows at `at`."""
    return at.astimezone(ZoneInfo(config.fabd.site.timezone)).date()


def tariff_at(config: Configuration, day: date) -> Tariff:
    """The tariff in force on `day` (of the site's calendar, see `day_of`); raises `ConfigError` before the first."""
    in_force = [tariff for tariff in config.tariffs if tariff.effective_from <= day]
    if not in_force:
        raise ConfigError(Message(code="config-no-tariff", params={"day": day.isoformat()}))
    return max(in_force, key=lambda tariff: tariff.effective_from)


def fingerprint(tariff: Tariff) -> str:
    """The SHA-256 of all that `tariff` says.

    Keys at their default count as unwritten, so that a newer fabd with more keys finds the same fingerprint.
    """
    return sha256_hex(canonical(tariff.model_dump(mode="json", exclude_defaults=True)))


def guard(c: Connection, tariff: Tariff, at: datetime) -> None:
    """Record that `tariff` prices something; raises `ConfigError` when this version did before with other prices."""
    used = c.execute(sa.select(tariff_used).where(tariff_used.c.version == tariff.version)).one_or_none()
    found = fingerprint(tariff)
    if used is None:
        c.execute(sa.insert(tariff_used).values(version=tariff.version, sha256=found, first_used_at=at))
    elif used.sha256 != found:
        params = {"version": tariff.version, "since": used.first_used_at.date().isoformat()}
        raise ConfigError(Message(code="tariff-edited", params=params))


def price(
    tariff: Tariff,
    *,
    level: Level,
    machine: Machine,
    material: Material | None,
    quantities: Mapping[Meter, Measured],
    before: Mapping[Meter, int],
    first: bool,
    charged: Charged,
    locale: str = "fr",
) -> tuple[Line, ...]:
    """The lines for one attempt, in the tariff's order; each component that fits makes one, lines of nothing are left out.

    `before` is what earlier charged attempts of the same job measured, so that steps and free quantities count once
    per job; `first` says that no flat fee was charged for the job yet. `locale` is the site's, for the labels.
    """
    lines = (
        _line(component, level, quantities, before, first, locale)
        for component in tariff.component
        if counts(component.meter, charged) and fits(component, machine, material)
    )
    return tuple(line for line in lines if line is not None)


def counts(meter: Meter, charged: Charged) -> bool:
    """Whether `meter` is charged for where `charged` is what a failure (or a success: "measured") costs."""
    return charged == "measured" or (charged == "material" and meter in MATERIAL_METERS)


def fits(component: Component, machine: Machine, material: Material | None) -> bool:
    """Whether `component` prices jobs on `machine` with `material`; an empty list in the tariff means all."""
    if component.materials and (
        material is None or (material.id not in component.materials and material.family not in component.materials)
    ):
        return False
    return (not component.kinds or machine.kind in component.kinds) and (
        not component.machines or machine.id in component.machines
    )


def label_in(labels: Labels, locale: str, otherwise: str) -> str:
    """The label in `locale`, else in whichever language there is one, else `otherwise`."""
    by_language = {str(language): label for language, label in labels.items()}
    return by_language.get(locale) or next(iter(by_language.values()), otherwise)


def _line(
    component: Component,
    level: Level,
    quantities: Mapping[Meter, Measured],
    before: Mapping[Meter, int],
    first: bool,
    locale: str,
) -> Line | None:
    if component.meter is Meter.FLAT:
        measured = Measured(qty=1 if first else 0, method=Method.FIXED)
        qty = measured.qty
    else:
        measured = quantities.get(component.meter, Measured(qty=0, method=Method.ESTIMATE))
        earlier = before.get(component.meter, 0)
        qty = _billed(component, earlier + measured.qty) - _billed(component, earlier)
    if qty == 0:
        return None
    coef = level.machine_time_coefficient if component.meter is Meter.MACHINE_S else Decimal("1.00")
    return Line(
        sku=component.sku,
        label=label_in(component.label, locale, component.sku),
        meter=component.meter,
        qty=qty,
        method=measured.method,
        price_micro=component.price_micro,
        coef=coef,
        ttc_cents=int((qty * component.price_micro * coef / MICRO_PER_CENT).to_integral_value(ROUND_HALF_UP)),
        vat=component.vat,
    )


def _billed(component: Component, qty: int) -> int:
    beyond_free = max(0, qty - component.free_qty)
    return -(-beyond_free // component.step) * component.step
