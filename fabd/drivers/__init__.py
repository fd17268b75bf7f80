"""Everything that the author of a driver imports, and nothing else: see `contract` for the shape.

A driver is one class in one file, registered under the entry point group `fabd.drivers`. Try it with
`pytest --fabd-driver package:Class` (see `fabd.testing`).
"""

from fabd.drivers.contract import Attempt, Driver
from fabd.drivers.wire import Wire, check_url, open_wire
from fabd.errors import JobLost, JobRejected, LinkLost, MachineFault
from fabd.model import (
    FOREIGN_JOB,
    Answer,
    Extents,
    Message,
    Meter,
    Method,
    Needs,
    Phase,
    PositionUnit,
    Program,
    Prompt,
    Reading,
    Temperature,
    Thread,
    UsageCurve,
)

__all__ = [
    "FOREIGN_JOB",
    "Answer",
    "Attempt",
    "Driver",
    "Extents",
    "JobLost",
    "JobRejected",
    "LinkLost",
    "MachineFault",
    "Message",
    "Meter",
    "Method",
    "Needs",
    "Phase",
    "PositionUnit",
    "Program",
    "Prompt",
    "Reading",
    "Temperature",
    "Thread",
    "UsageCurve",
    "Wire",
    "check_url",
    "open_wire",
]
