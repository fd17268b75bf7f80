"""The contract of `fabd.drivers` as tests, for drivers here and in other repositories.

On hardware, or on a simulator of your own, from the command line (pytest finds the suite by itself)::

    pytest --fabd-driver mypackage.mydriver:MyDriver --fabd-settings settings.toml --fabd-program piece.gcode

With a simulated machine that shows what it really did, in a test file of your own; then nothing is left out::

    from fabd.testing import DriverCase, SimulatedSide
    from fabd.testing.contract import *

    def driver_cases(config):
        return [DriverCase(...)]
"""

from fabd.testing.bench import BenchAttempt, DriverCase, SimulatedSide

__all__ = ["BenchAttempt", "DriverCase", "SimulatedSide"]
