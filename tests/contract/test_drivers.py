"""Every driver of ours on its simulated machine: add a case for each new one."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from fabd.drivers import Meter
from fabd.drivers.marlin import Marlin
from fabd.formats.gcode import Gcode
from fabd.simulators.marlin import SimulatedMarlin
from fabd.testing import DriverCase, SimulatedSide
from fabd.testing.contract import *  # noqa: F403 - the suite itself
from fakes.virtual_time import run_in_virtual_time

SAMPLES = Path(__file__).parents[1] / "samples"


def driver_cases(config: pytest.Config) -> Sequence[DriverCase]:
    return [marlin()]


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
