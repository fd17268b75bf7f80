"""What the API speaks, as both of its ends see it: frozen pydantic models, written to JSON and read back.

The daemon fills them from rows, the client hands them to the command line. Sentences are not in them: what a
person reads travels as `Say`, a code with parameters, and `text`, the English sentence for scripts and logs.
"""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from fabd.messages import Message, Param, say
from fabd.model import Fault, JobState, MachineState, Phase


class View(BaseModel):
    """Base of all shapes: frozen; unknown keys are errors, so that a typing mistake is seen."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Say(View):
    """Something to say to a person."""

    code: str
    params: dict[str, Param] = {}
    text: str = ""

    @classmethod
    def of(cls, message: Message) -> "Say":
        return cls(code=message.code, params=dict(message.params), text=say(message))

    @property
    def message(self) -> Message:
        return Message(code=self.code, params=self.params)


class Problem(View):
    """The body of every answer that is not a success."""

    problem: Say
    details: tuple[Say, ...] = ()


class LineView(View):
    """One line of a quote or a charge. `qty` is a whole number of the meter's unit, as text."""

    sku: str
    label: str
    meter: str
    qty: str
    method: str
    price_micro: int
    coef: str
    ttc_cents: int
    vat: str


class QuoteView(View):
    """What a job would cost before it runs, and whether this member may run it."""

    verdict: Literal["allow", "ask", "refuse"]
    reasons: tuple[Say, ...] = ()
    member: str | None
    level: str
    level_label: str
    kind: str
    machine: str | None = None
    material: str | None = None
    copies: int = 1
    lines: tuple[LineView, ...]
    total_ttc_cents: int
    currency: str
    tariff: str
    tariff_is_example: bool
    machine_s: float
    remarks: tuple[Say, ...] = ()


class AttemptView(View):
    number: int
    ticket: str
    machine: str
    state: str
    outcome: str | None = None
    reasons: tuple[Say, ...] = ()
    fault: Fault = Fault.NONE
    started_at: datetime | None = None
    ended_at: datetime | None = None
    total_ttc_cents: int | None = None


class JobView(View):
    id: str
    title: str
    state: JobState
    reasons: tuple[Say, ...] = ()
    member: str | None
    payer: str | None
    format: str
    kind: str
    sha256: str
    size_bytes: int
    machine_wanted: str | None
    material_wanted: str | None
    copies: int
    copies_done: int
    submitted_at: datetime
    submitted_by: str
    quote: QuoteView
    attempts: tuple[AttemptView, ...] = ()
    progress: float | None = None
    remaining_s: float | None = None
    total_ttc_cents: int | None = None


class PromptView(View):
    machine: str
    job: str | None = None
    ticket: str | None = None
    key: str
    say: Say
    choices: tuple[str, ...]
    asked_at: datetime
    answer: str | None = None
    answered_by: str | None = None


class TemperatureView(View):
    name: str
    current_c: float
    target_c: float


class MachineView(View):
    id: str
    name: str
    kind: str
    driver: str
    state: MachineState
    reasons: tuple[Say, ...] = ()
    connected: bool
    phase: Phase
    material: str | None = None
    lot: str | None = None
    material_is_default: bool = True
    job: str | None = None
    ticket: str | None = None
    member: str | None = None
    progress: float | None = None
    remaining_s: float | None = None
    temperatures: tuple[TemperatureView, ...] = ()
    prompt: PromptView | None = None


class GrantView(View):
    kind: str
    level: str
    granted_by: str | None
    granted_at: datetime
    until: datetime | None = None
    why: str | None = None
    action: Literal["grant", "revoke"] = "grant"


class MemberView(View):
    id: str
    name: str | None
    facilitator: bool
    customer: str | None
    pseudonym: str
    levels: dict[str, str]
    grants: tuple[GrantView, ...] = ()


class EntryView(View):
    """One ledger entry: `data` is exactly what the till gets, `event_id` and `source` name it for ever."""

    seq: int
    event_id: str
    source: str
    time: datetime
    ticket: str | None
    customer: str | None
    data: dict[str, object]


class VerifyView(View):
    """The result of re-hashing the ledger: `problems` says exactly where a chain breaks."""

    ok: bool
    entries: int
    head: str | None
    problems: tuple[Say, ...] = ()


class HealthView(View):
    version: str
    site: str
    ok: bool
    problems: tuple[Say, ...] = ()
    socket: str
    mqtt: str | None
    mqtt_connected: bool
    metrics: str | None
    tariff: str
    tariff_is_example: bool
    locale: str


class SnapshotView(View):
    """What `watch` streams: all machines, and the jobs that are not over."""

    machines: tuple[MachineView, ...]
    jobs: tuple[JobView, ...]


# --- what is asked -----------------------------------------------------------------------------------


class ReadyAsk(View):
    """The machine is cleared; `failed` says that its last piece is no good, and whose fault that is."""

    failed: Literal["machine", "operator", "member"] | None = None


class LoadAsk(View):
    lot: str


class CloseAsk(View):
    why: str


class AnswerAsk(View):
    """One of the prompt's choices; a choice that ends in `=` is answered with its number: `stitches=412`."""

    answer: str


class MemberAsk(View):
    id: str
    name: str | None = None
    customer: str | None = None
    facilitator: bool = False


class GrantAsk(View):
    """`until` is the last day on which the grant counts, by the clock of the site."""

    kind: str
    level: str
    until: date | None = None
    why: str | None = None


class RevokeAsk(View):
    kind: str
    why: str | None = None
