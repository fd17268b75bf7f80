"""The settings of a Marlin printer, and what it refuses because of them."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from fabd.drivers.wire import check_url
from fabd.model import Message, Program

Millimetres = Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)]
Celsius = Annotated[float, Field(ge=0, le=1_000, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=3_600, allow_inf_nan=False)]


class MarlinConfig(BaseModel):
    """One printer with Marlin, or with a firmware that speaks as Marlin does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[str, AfterValidator(check_url)]
    """`serial:///dev/serial/by-path/...?baud=115200`, `tcp://host:port` or `sim://marlin`."""
    width_mm: Millimetres = 250.0
    """How far X goes. The defaults are the bed of a Prusa i3, MK3 or MK4: a machine with a smaller bed must declare
    it, since its firmware may drive into the end; one with a larger bed refuses files until it does."""
    depth_mm: Millimetres = 210.0
    """How far Y goes."""
    height_mm: Millimetres = 210.0
    """How far Z goes."""
    overhang_mm: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = 5.0
    """How far X and Y may go below zero: Prusa's start code wipes its nozzle at Y -3 and Y -4."""
    max_nozzle_c: Celsius = 285.0
    """5 below the usual limit of an all-metal hot end, where Marlin would halt (HEATER_0_MAXTEMP, HOTEND_OVERSHOOT)."""
    max_bed_c: Celsius = 120.0
    tools: Annotated[int, Field(ge=1, le=8)] = 1
    """How many tools `T` may choose from."""
    silence_s: Annotated[Seconds, Field(ge=5)] = 30.0
    """How long an answer may take before the machine counts as gone. A heat-up and a machine that says that it is busy
    have no limit; one whose firmware never says so needs more than its slowest move takes."""
    boot_s: Seconds = 1.0
    """How long a board that resets when its serial port is opened is left alone, since its boot loader would take
    for its own what is said too early. Only for `serial://`."""


def objections(program: Program, config: MarlinConfig) -> Iterator[Message]:
    """Why a machine with these settings cannot make `program`."""
    if (box := program.extents) is not None:
        reaches = (
            ("X", box.x_min_mm, box.x_max_mm, -config.overhang_mm, config.width_mm),
            ("Y", box.y_min_mm, box.y_max_mm, -config.overhang_mm, config.depth_mm),
            ("Z", box.z_min_mm, box.z_max_mm, 0.0, config.height_mm),
        )
        for axis, low_mm, high_mm, least_mm, most_mm in reaches:
            if low_mm < least_mm or high_mm > most_mm:
                yield Message(
                    code="marlin-off-bed",
                    params={
                        "axis": axis,
                        "low_mm": round(low_mm, 2),
                        "high_mm": round(high_mm, 2),
                        "least_mm": least_mm,
                        "most_mm": most_mm,
                    },
                )
    needs = program.needs
    if needs.nozzle_c > config.max_nozzle_c:
        yield Message(code="marlin-nozzle-too-hot", params={"found_c": needs.nozzle_c, "limit_c": config.max_nozzle_c})
    if needs.bed_c > config.max_bed_c:
        yield Message(code="marlin-bed-too-hot", params={"found_c": needs.bed_c, "limit_c": config.max_bed_c})
    missing = [tool for tool in needs.tools if tool >= config.tools]
    if missing:
        yield Message(code="marlin-tool-missing", params={"tool": f"T{missing[0]}", "tools": config.tools})
