"""What a job would cost before it runs, and whether this member may run it. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from fabd.config.model import Configuration, Level, Machine, Material, Tariff
from fabd.messages import Message
from fabd.metering.meter import Measured
from fabd.metering.tariff import EXAMPLE, MATERIAL_METERS, Line, fits, label_in, price
from fabd.model import Meter
from fabd.views import LineView, QuoteView, Say


def make_quote(
    config: Configuration,
    *,
    member_id: str | None,
    level: Level,
    tariff: Tariff,
    machine: Machine,
    material: Material | None,
    quantities: Mapping[Meter, Measured],
    copies: int,
    open_jobs: int,
    remarks: Sequence[Message] = (),
) -> QuoteView:
    """The quote for `copies` pieces on `machine`, each of which is expected to take `quantities`.

    Each copy is priced as the attempt that will make it, so that the charges add up to the quote, to the cent, where
    the estimate comes true. `open_jobs` is how many jobs the member has under way, without this one. Lines,
    total and `machine_s` are for all copies. The verdict is "refuse" beyond a limit of the level, "ask" where a
    facilitator has to start or release the job, else "allow".
    """
    if copies < 1:
        raise ValueError(f"a job makes at least one copy, not {copies}")
    locale = config.fabd.site.locale
    machine_s = copies * quantities[Meter.MACHINE_S].qty if Meter.MACHINE_S in quantities else 0
    verdict, reasons = _verdict(level, machine_s, open_jobs)
    lines = _lines(tariff, level, machine, material, quantities, copies, locale)
    unpriced = _unpriced(tariff, machine, material, quantities)
    return QuoteView(
        verdict=verdict,
        reasons=tuple(Say.of(reason) for reason in reasons),
        member=member_id,
        level=level.id,
        level_label=label_in(level.label, locale, level.id),
        kind=machine.kind,
        machine=machine.id,
        material=None if material is None else material.id,
        copies=copies,
        lines=tuple(LineView.model_validate(line.as_json()) for line in lines),
        total_ttc_cents=sum(line.ttc_cents for line in lines),
        currency=tariff.currency,
        tariff=tariff.version,
        tariff_is_example=tariff.version == EXAMPLE,
        machine_s=machine_s,
        remarks=tuple(Say.of(remark) for remark in (*remarks, *unpriced)),
    )


def _verdict(level: Level, machine_s: int, open_jobs: int) -> tuple[Literal["allow", "ask", "refuse"], list[Message]]:
    refused: list[Message] = []
    limits = level.limits
    if limits.longest_job_s is not None and machine_s > limits.longest_job_s:
        params = {"minutes": -(-machine_s // 60), "limit_minutes": limits.longest_job_s // 60}
        refused.append(Message(code="quote-job-too-long", params=params))
    if limits.open_jobs is not None and open_jobs >= limits.open_jobs:
        refused.append(Message(code="quote-too-many-jobs", params={"open": open_jobs, "limit": limits.open_jobs}))
    if refused:
        return "refuse", refused
    if level.who_starts == "self":
        return "allow", []
    releases = level.who_starts == "facilitator-releases"
    return "ask", [Message(code="quote-facilitator-releases" if releases else "quote-facilitator")]


def _lines(
    tariff: Tariff,
    level: Level,
    machine: Machine,
    material: Material | None,
    quantities: Mapping[Meter, Measured],
    copies: int,
    locale: str,
) -> list[Line]:
    """The lines of all copies, in the tariff's order, those of one price added up."""
    sums: dict[Line, tuple[int, int]] = {}
    for made in range(copies):
        for line in price(
            tariff,
            level=level,
            machine=machine,
            material=material,
            quantities=quantities,
            before={meter: made * one.qty for meter, one in quantities.items()},
            first=made == 0,
            charged="measured",
            locale=locale,
        ):
            same = replace(line, qty=0, ttc_cents=0)
            qty, cents = sums.get(same, (0, 0))
            sums[same] = (qty + line.qty, cents + line.ttc_cents)
    skus = [component.sku for component in tariff.component]
    added = [replace(same, qty=qty, ttc_cents=cents) for same, (qty, cents) in sums.items()]
    return sorted(added, key=lambda line: skus.index(line.sku))


def _unpriced(
    tariff: Tariff, machine: Machine, material: Material | None, quantities: Mapping[Meter, Measured]
) -> Iterator[Message]:
    """What the tariff forgets: a job that nothing prices, or material that is given away."""
    priced = {component.meter for component in tariff.component if fits(component, machine, material)}
    if not priced & {*quantities, Meter.FLAT}:
        yield Message(code="quote-nothing-priced", params={"tariff": tariff.version, "kind": machine.kind})
    elif material is not None and any(meter in MATERIAL_METERS - priced for meter in quantities):
        yield Message(code="quote-material-unpriced", params={"tariff": tariff.version, "material": material.id})
