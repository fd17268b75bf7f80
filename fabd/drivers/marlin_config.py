"""The settings of a Marlin printer."""

from typing import Annotated

from pydantic import AfterValidator, Field

from fabd.drivers.printer_limits import PrinterLimits
from fabd.drivers.wire import check_url

Seconds = Annotated[float, Field(ge=0, le=3_600, allow_inf_nan=False)]


class MarlinConfig(PrinterLimits):
    """One printer with Marlin, or with a firmware that speaks as Marlin does."""

    url: Annotated[str, AfterValidator(check_url)]
    """`serial:///dev/serial/by-path/...?baud=115200`, `tcp://host:port` or `sim://marlin`."""
    silence_s: Annotated[Seconds, Field(ge=5)] = 30.0
    """How long an answer may take before the machine counts as gone. A heat-up and a machine that says that it is busy
    have no limit; one whose firmware never says so needs more than its slowest move takes."""
    boot_s: Seconds = 1.0
    """How long a board that resets when its serial port is opened is left alone, since its boot loader would take
    for its own what is said too early. Only for `serial://`."""
