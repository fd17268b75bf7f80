"""The messages on MQTT, but for the usage event, which is metering's: their topics, shapes and JSON Schemas.

They are a promise to programs that we do not know: fields may be added, never renamed. People are not in the
state topics, which anybody on the broker may read.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fabd.model import JobState, MachineState, Phase
from fabd.views import MachineView, Say, TemperatureView

MOST_REJECTED = 1000
MOST_REPLAYED = 1000
"""How many entries one replay brings; a till that misses more asks again from where it ended."""

Seq = Annotated[int, Field(ge=0, le=2**63 - 1)]


def root(site: str) -> str:
    """What all topics of a site begin with."""
    return f"fab/v1/{site}"


class Shape(BaseModel):
    """Base of all messages: strict, and unknown keys are errors, so that a till's typing mistake is seen."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Online(Shape):
    """`status`, retained: whether the daemon is connected. The broker says `offline` where we cannot."""

    status: Literal["online", "offline"]
    version: str


class Asked(Shape):
    """What a person must do at the machine."""

    key: str
    say: Say
    choices: tuple[str, ...]
    asked_at: datetime


class Machine(Shape):
    """`machine/{id}/state`, retained: all that is known of a machine, whole each time."""

    id: str
    name: str
    kind: str
    driver: str
    state: MachineState
    reasons: tuple[Say, ...]
    connected: bool
    phase: Phase
    material: str | None
    lot: str | None
    material_is_default: bool
    job: str | None
    ticket: str | None
    progress: float | None
    """From 0 to 1."""
    remaining_s: float | None
    temperatures: tuple[TemperatureView, ...]
    prompt: Asked | None

    @classmethod
    def of(cls, view: MachineView) -> "Machine":
        told = {name: getattr(view, name) for name in cls.model_fields}
        if view.prompt is not None:
            told["prompt"] = Asked(**{name: getattr(view.prompt, name) for name in Asked.model_fields})
        return cls(**told)


class Job(Shape):
    """`job/{id}/state`, not retained: a job has changed its state, or the reasons for it."""

    id: str
    state: JobState
    reasons: tuple[Say, ...]
    kind: str
    copies: int
    copies_done: int
    machine: str | None
    """Of the newest attempt, like `ticket`."""
    ticket: str | None
    changed_at: datetime


class Head(Shape):
    """`usage/head`, retained: the newest entry of the ledger. A till sees at once that it missed some."""

    ledger: str
    seq: Seq
    id: str
    hash: str


class Rejected(Shape):
    """One entry that a till could not make a line of."""

    id: Annotated[str, Field(max_length=64)]
    reason: Annotated[str, Field(max_length=500)]


class Ack(Shape):
    """`usage/ack/{till}`, retained, from the till: it holds every entry up to `seq`, but for the rejected ones."""

    ledger: Annotated[str, Field(max_length=64)]
    seq: Seq
    rejected: Annotated[tuple[Rejected, ...], Field(max_length=MOST_REJECTED)] = ()


class Replay(Shape):
    """`usage/replay`, from a till: please publish `from` to `to` again, both included.

    The answer goes to `usage`; over MQTT 5 to the response topic, which is one outside of `fab/` or below `usage/reply/`.
    """

    ledger: Annotated[str, Field(max_length=64)]
    from_: Annotated[Seq, Field(alias="from")]
    to: Seq


SHAPES: dict[str, type[Shape]] = {
    "status": Online,
    "machine-state": Machine,
    "job-state": Job,
    "head": Head,
    "ack": Ack,
    "replay": Replay,
}


def encode(message: Shape) -> bytes:
    """As it goes over the wire: JSON in UTF-8."""
    return message.model_dump_json(by_alias=True).encode()


def why_unreadable(error: ValidationError) -> str:
    """The first thing that is wrong with a message, and where; nothing of what it said."""
    first = error.errors(include_url=False, include_input=False)[0]
    return ".".join([*(str(part) for part in first["loc"]), first["type"]])[:200]


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one of `SHAPES`; raises `KeyError` for another name."""
    shape = SHAPES[name]
    mode: Literal["validation", "serialization"] = "validation" if shape in (Ack, Replay) else "serialization"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **shape.model_json_schema(mode=mode)}
