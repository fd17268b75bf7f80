"""What every printer declares of itself, and what it refuses because of that."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from fabd.model import Message, Program

Millimetres = Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)]
Celsius = Annotated[float, Field(ge=0, le=1_000, allow_inf_nan=False)]


class PrinterLimits(BaseModel):
    """The settings that all printers share, whoever sends them their lines."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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


def objections(program: Program, limits: PrinterLimits) -> Iterator[Message]:
    """Why a printer with these limits cannot make `program`."""
    if (box := program.extents) is not None:
        reaches = (
            ("X", box.x_min_mm, box.x_max_mm, -limits.overhang_mm, limits.width_mm),
            ("Y", box.y_min_mm, box.y_max_mm, -limits.overhang_mm, limits.depth_mm),
            ("Z", box.z_min_mm, box.z_max_mm, 0.0, limits.height_mm),
        )
        for axis, low_mm, high_mm, least_mm, most_mm in reaches:
            if low_mm < least_mm or high_mm > most_mm:
                yield Message(
                    code="printer-off-bed",
                    params={
                        "axis": axis,
                        "low_mm": round(low_mm, 2),
                        "high_mm": round(high_mm, 2),
                        "least_mm": least_mm,
                        "most_mm": most_mm,
                    },
                )
    needs = program.needs
    if needs.nozzle_c > limits.max_nozzle_c:
        yield Message(code="printer-nozzle-too-hot", params={"found_c": needs.nozzle_c, "limit_c": limits.max_nozzle_c})
    if needs.bed_c > limits.max_bed_c:
        yield Message(code="printer-bed-too-hot", params={"found_c": needs.bed_c, "limit_c": limits.max_bed_c})
    missing = [tool for tool in needs.tools if tool >= limits.tools]
    if missing:
        yield Message(code="printer-tool-missing", params={"tool": f"T{missing[0]}", "tools": limits.tools})
