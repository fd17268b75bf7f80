"""What it was, as everybody says: the till, the ledger, and the machines themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fabd.demo import stage
from fabd.demo.till import Till
from fabd.model import JobState
from fabd.simulators import machine
from fabd.simulators.embroidery import SimulatedEmbroiderer
from fabd.simulators.hpgl import SimulatedCutter
from fabd.simulators.marlin import SimulatedMarlin
from fabd.views import EntryView, JobView, VerifyView

TOLERANCE = 0.001
"""How far the ledger may be from a machine's own odometer, as a share."""
PLA_MG_PER_MM = 1.24 * 3.141592653589793 * (1.75 / 2) ** 2
"""The shipped PLA: 1.24 g/cm3, 1.75 mm; a cubic millimetre of 1 g/cm3 weighs a milligram."""

Line = tuple[str, str, str, int]
"""Ticket, customer, label, cents."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """One meter of one machine: what the ledger says, and what the machine counted."""

    machine: str
    meter: str
    ledger: float
    machine_says: float

    @property
    def agrees(self) -> bool:
        # The ledger holds whole units.
        return abs(self.ledger - self.machine_says) <= max(1.0, TOLERANCE * self.machine_says)


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """The end of the demo."""

    till: tuple[Line, ...]
    ledger: tuple[Line, ...]
    verified: VerifyView
    counts: tuple[Count, ...]
    jobs: tuple[JobView, ...]
    repeated: int

    @property
    def agrees(self) -> bool:
        """Whether all jobs were made, and everybody says the same."""
        made = all(job.state is JobState.COMPLETED for job in self.jobs)
        return made and self.till == self.ledger and self.verified.ok and all(count.agrees for count in self.counts)


def compare(till: Till, entries: Sequence[EntryView], verified: VerifyView, jobs: Sequence[JobView]) -> Proof:
    """Lay side by side what the till heard, what the ledger holds, and what the machines counted."""
    ledger = tuple(
        (entry.ticket or "-", entry.customer or "-", line["label"], line["ttc_cents"])
        for entry in entries
        for line in _lines(entry)
    )
    return Proof(
        till=tuple(till.lines),
        ledger=ledger,
        verified=verified,
        counts=tuple(_counts(entries)),
        jobs=tuple(jobs),
        repeated=till.repeated,
    )


def _counts(entries: Sequence[EntryView]) -> list[Count]:
    printer, cutter, embroiderer = (machine(url) for url in (stage.PRINTER, stage.CUTTER, stage.EMBROIDERER))
    assert isinstance(printer, SimulatedMarlin)
    assert isinstance(cutter, SimulatedCutter)
    assert isinstance(embroiderer, SimulatedEmbroiderer)
    counted = {
        "prusa-1": {"filament_mg": printer.odometer.filament_mm * PLA_MG_PER_MM},
        "cutter-1": {"vinyl_mm": cutter.odometer.vinyl_mm, "cut_mm": cutter.odometer.cut_mm},
        "brother-1": {"stitches": float(embroiderer.odometer.stitches)},
    }
    return [
        Count(machine=name, meter=meter, ledger=_measured(entries, name, meter), machine_says=quantity)
        for name, meters in counted.items()
        for meter, quantity in meters.items()
    ]


def _measured(entries: Sequence[EntryView], name: str, meter: str) -> float:
    """What the ledger holds of a machine's meter, in its unit."""
    total = 0.0
    for entry in entries:
        measured: Any = entry.data["measured"]
        if entry.data["machine"] == name and meter in measured:
            total += float(measured[meter]["qty"])
    return total


def _lines(entry: EntryView) -> list[dict[str, Any]]:
    lines: Any = entry.data["lines"]
    return list(lines)
