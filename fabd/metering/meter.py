"""From what a machine counted to what is billed: whole units of each meter, and how each was measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Self

from fabd.config.model import Material
from fabd.errors import JobRejected, MachineFault
from fabd.model import Meter, Method, Program, Reading, Used

PI = Decimal("3.14159265358979323846")
LARGEST_QTY = 2**53
"""No machine counts this far: a reading above it is damaged."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """A quantity that can be billed: `qty` is a whole number of the meter's unit."""

    qty: int
    method: Method

    def as_json(self) -> dict[str, object]:
        """The shape in the ledger: quantities are text."""
        return {"qty": str(self.qty), "method": self.method.value}

    @classmethod
    def of(cls, stored: Mapping[str, str]) -> Self:
        """Read back what `as_json` wrote."""
        return cls(qty=int(stored["qty"]), method=Method(stored["method"]))


def billable(used: Used, method: Method, material: Material | None) -> dict[Meter, Measured]:
    """The quantities of `used` in whole units, each rounded once, half up.

    Filament goes in as `filament_mm` and comes out as `filament_mg`, by the diameter and density of `material`.
    All quantities carry `method`, but for machine time under `curve`: the attempt's own clock counted it, over the
    phases that the machine reported, however the material was found. That is as good as an odometer, and called so.

    Raises `MachineFault` for a quantity that nobody can have used (negative, not a number, absurd), and `JobRejected`
    when filament was used of a material without diameter or density.
    """
    quantities: dict[Meter, Measured] = {}
    for meter, value in used.items():
        if meter is Meter.FLAT or not 0 <= value < LARGEST_QTY:
            raise MachineFault("meter-reading-invalid", meter=meter.value, value=str(value))
        exact = Decimal(str(value))
        if meter is Meter.FILAMENT_MM:
            if Meter.FILAMENT_MG in used:
                raise MachineFault("meter-filament-twice")
            quantities[Meter.FILAMENT_MG] = Measured(qty=_whole(_filament_mg(exact, material)), method=method)
        elif meter is Meter.MACHINE_S and method is Method.CURVE:
            quantities[meter] = Measured(qty=_whole(exact), method=Method.ODOMETER)
        else:
            quantities[meter] = Measured(qty=_whole(exact), method=method)
    return quantities


def progress(reading: Reading, program: Program) -> float:
    """How much of `program` the machine has done, from 0 to 1: by time where the program knows it, else by position."""
    total_s = program.curve.total.get(Meter.MACHINE_S, 0.0)
    if total_s > 0:
        return program.curve.at(reading.position)[Meter.MACHINE_S] / total_s
    return reading.position / program.length if program.length else 0.0


def _filament_mg(length_mm: Decimal, material: Material | None) -> Decimal:
    if not length_mm:
        return length_mm
    if material is None:
        raise JobRejected("filament-without-material")
    if material.diameter_mm is None or material.density_g_cm3 is None:
        raise JobRejected("material-without-density", material=material.id)
    section_mm2 = PI * (material.diameter_mm / 2) ** 2
    return length_mm * section_mm2 * material.density_g_cm3  # 1 g/cm³ is 1 mg/mm³


def _whole(value: Decimal) -> int:
    return int(value.to_integral_value(ROUND_HALF_UP))
