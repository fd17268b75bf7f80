"""Every driver of ours on its simulated machine: add a case for each new one."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from fabd.drivers import Meter
from fabd.drivers.embroidery import Embroidery
from fabd.drivers.hpgl import Hpgl
from fabd.drivers.marlin import Marlin
from fabd.formats import hpgl
from fabd.formats.gcode import Gcode
from fabd.formats.stitches import Stitches
from fabd.simulators.hpgl import SimulatedCutter
from fabd.simulators.marlin import SimulatedMarlin
from fabd.testing import DriverCase, SimulatedSide
from fabd.testing.contract import *  # noqa: F403 - the suite itself
from fakes.virtual_time import run_in_virtual_time

SAMPLES = Path(__file__).parents[1] / "samples"


def driver_cases(config: pytest.Config) -> Sequence[DriverCase]:
    return [marlin(), cutter(), embroiderer()]


def marlin() -> DriverCase:
    url = "sim://marlin?seed=1&speed=20&resend=0.01"
    file = SAMPLES / "tower.gcode"

    def at_work(machine: SimulatedMarlin) -> bool:
        return machine.odometer.filament_mm > 20

    def is_safe(machine: SimulatedMarlin) -> bool:
        return machine.nozzle_target_c == 0 and machine.bed_target_c == 0 and machine.at_rest

    return DriverCase(
        name="marlin",
        driver=Marlin,
        settings={"url": url},
        program=Gcode().analyse(file.read_bytes(), file.name).program,
        file=file,
        run=run_in_virtual_time,
        simulated=SimulatedSide(
            url=url,
            used=lambda machine: {Meter.FILAMENT_MM: machine.odometer.filament_mm},
            is_safe=is_safe,
            at_work=at_work,
            half_line=b"N17 G1 X10 Y1",
        ),
    )


def cutter() -> DriverCase:
    url = "sim://hpgl?seed=1&buffer=128"
    file = SAMPLES / "squares.hpgl"  # plain plotter commands, which run as they are

    def used(machine: SimulatedCutter) -> dict[Meter, float]:
        odometer = machine.odometer
        return {
            Meter.CUT_MM: odometer.cut_mm,
            Meter.TRAVEL_MM: odometer.travel_mm,
            Meter.VINYL_MM: odometer.vinyl_mm,
        }

    def at_work(machine: SimulatedCutter) -> bool:
        return machine.pen_down and machine.odometer.cut_mm > 60

    def is_safe(machine: SimulatedCutter) -> bool:
        return not machine.pen_down and machine.at_rest and machine.overflowed_bytes == 0

    return DriverCase(
        name="hpgl",
        driver=Hpgl,
        settings={"url": url},
        program=hpgl.Hpgl().analyse(file.read_bytes(), file.name).program,
        file=file,
        run=run_in_virtual_time,
        simulated=SimulatedSide(url=url, used=used, is_safe=is_safe, at_work=at_work, half_line=b"PD4000,120"),
    )


def embroiderer() -> DriverCase:
    """Without the machine's side: its plug cannot be pulled, and nobody but a person stops or pauses its needle."""
    file = SAMPLES / "rosette.dst"
    return DriverCase(
        name="embroidery",
        driver=Embroidery,
        settings={"url": "sim://embroidery?seed=1"},
        program=Stitches().analyse(file.read_bytes(), file.name).program,
        file=file,
        run=run_in_virtual_time,
    )
