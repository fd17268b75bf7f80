"""The shape of a usage event, as a till may rely on it: the source of `fabd schema usage` and of the copy in `docs/`.

Fields may be added, never renamed: the schema leaves room for keys that it does not know.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from fabd.model import Fault, Meter, Method, Outcome

WholeNumber = Annotated[str, Field(pattern=r"^-?(0|[1-9][0-9]*)$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Pseudonym = Annotated[str, Field(pattern=r"^(m_[0-9a-f]{12}|walk-in)$")]
Cents = Annotated[int, Field(strict=True)]


class Shape(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class UsageQuantity(Shape):
    qty: WholeNumber
    """A whole number of the unit that the meter's name ends in; negative in a reversal."""
    method: Method
    """How it was measured: by the machine's own count, from the position in the file, estimated, or said by a person."""


class UsageLine(UsageQuantity):
    sku: str
    label: str
    """For people, in the café's language."""
    meter: Meter
    price_micro: Annotated[int, Field(ge=0, strict=True)]
    """Millionths of a euro for one unit, tax included."""
    coef: Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?$")]
    """Multiplies machine time, by the member's level; 1 for all else."""
    ttc_cents: Cents
    """The line's amount, tax included: qty x price_micro x coef, rounded once to whole cents, half up."""
    vat: str
    """The code of the VAT rate, such as `FR20`: the till derives amounts before tax."""


class UsageData(Shape):
    """What `hash` covers: the SHA-256 of these fields without `hash`, as RFC 8785 (JCS) spells them."""

    seq: Annotated[int, Field(ge=1, strict=True)]
    """Counts the entries of a ledger without a gap."""
    prev: Sha256
    """The hash of the entry before; 64 zeros for the first."""
    hash: Sha256
    source: str
    id: str
    time: datetime
    clock_behind_s: Annotated[int, Field(ge=0, strict=True)]
    """By how much the computer's clock was behind `time`, which never falls from one entry to the next."""
    kind: Literal["charge", "reversal", "closure", "note"]
    reverses: str | None
    """The id of the charge that this reversal takes back, in full."""
    why: str | None
    """A code: why a charge was taken back."""
    job: str
    attempt: Annotated[int, Field(ge=1, strict=True)]
    revision: Annotated[int, Field(ge=1, strict=True)]
    """1 for an attempt's first charge, one more for each correction; a reversal repeats that of its charge."""
    machine: str
    machine_kind: str
    member: Pseudonym
    payer: Pseudonym
    facilitator: Pseudonym | None
    level: str
    tariff: str
    outcome: Outcome
    fault: Fault
    material: str | None
    lot: str | None
    material_is_default: bool
    """Nobody had loaded anything: the machine was taken to hold its default material."""
    charged: Literal["measured", "material", "nothing"]
    """How much of `measured` is charged: after a failure it may be the material alone, or nothing."""
    measured: dict[Meter, UsageQuantity]
    """All that was measured, charged or not."""
    lines: tuple[UsageLine, ...]
    total_ttc_cents: Cents
    """The sum of the lines."""
    currency: Literal["EUR"]


class UsageEvent(Shape):
    """One entry of the ledger, as a CloudEvents 1.0 envelope. `source` and `id` together are unique for ever."""

    specversion: Literal["1.0"]
    type: Literal["fabd.usage.v1"]
    source: Annotated[str, Field(pattern=r"^/[a-z0-9][a-z0-9._-]*/ledger/[0-9a-f-]{36}$")]
    """Names the ledger. A till keeps a unique index on (source, id): a repeated event is then a no-op."""
    id: Annotated[str, Field(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")]
    """A UUID, version 7."""
    time: datetime
    subject: str
    datacontenttype: Literal["application/json"]
    ticket: str | None
    """The short number that is written on the piece. Outside of the hash: it can be erased."""
    customer: str | None
    """The till's own reference for the payer. Outside of the hash: it can be erased."""
    data: UsageData


def schema() -> dict[str, object]:
    """The JSON Schema (draft 2020-12) of a usage event."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:fabd:usage:v1",
        **UsageEvent.model_json_schema(mode="serialization"),
    }
