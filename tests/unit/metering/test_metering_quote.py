from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabd.config.model import Level, Limits, Machine, Material, Tariff
from fabd.messages import Message
from fabd.metering.quote import make_quote
from fabd.metering.tariff import price
from fabd.model import Meter, Method
from fabd.views import QuoteView
from unit.metering.samples import CONFIG, EMBROIDERER, EXAMPLE, PRINTER, level, material, measured, tariff

PLA_PRINT = {Meter.FILAMENT_MG: 42700, Meter.MACHINE_S: 7800}


def quote(
    *,
    at_level: Level | None = None,
    prices: Tariff = EXAMPLE,
    machine: Machine = PRINTER,
    of: Material | None = None,
    quantities: Mapping[Meter, int] = PLA_PRINT,
    copies: int = 1,
    open_jobs: int = 0,
    remarks: tuple[Message, ...] = (),
) -> QuoteView:
    return make_quote(
        CONFIG,
        member_id="alice",
        level=at_level or level("autonomous"),
        tariff=prices,
        machine=machine,
        material=of or material("pla"),
        quantities=measured(quantities, Method.ESTIMATE),
        copies=copies,
        open_jobs=open_jobs,
        remarks=remarks,
    )


def codes(view: QuoteView) -> list[str]:
    return [reason.code for reason in view.reasons]


def remarks(view: QuoteView) -> list[str]:
    return [remark.code for remark in view.remarks]


def test_a_quote_says_what_it_is_made_of() -> None:
    view = quote()
    assert (view.member, view.level, view.level_label) == ("alice", "autonomous", "autonome")
    assert (view.kind, view.machine, view.material) == ("printer", "prusa-1", "pla")
    assert (view.tariff, view.tariff_is_example, view.currency) == ("example", True, "EUR")
    assert [(line.sku, line.label, line.qty, line.ttc_cents) for line in view.lines] == [
        ("PRN-PLA", "Filament PLA", "42700", 342),
        ("PRN-TIME", "Imprimante 3D, temps", "7800", 260),
    ]
    assert {line.method for line in view.lines} == {"estimate"}
    assert view.total_ttc_cents == 602
    assert view.machine_s == 7800
    assert quote(prices=EXAMPLE.model_copy(update={"version": "2026-01"})).tariff_is_example is False


@pytest.mark.parametrize(
    ("level_id", "verdict", "reasons"),
    [
        ("served", "ask", ["quote-facilitator"]),
        ("accompanied", "ask", ["quote-facilitator-releases"]),
        ("autonomous", "allow", []),
        ("mentor", "allow", []),
    ],
)
def test_the_level_says_who_starts(level_id: str, verdict: str, reasons: list[str]) -> None:
    view = quote(at_level=level(level_id))
    assert (view.verdict, codes(view)) == (verdict, reasons)
    assert all(reason.text.endswith("ask one.") for reason in view.reasons)


def limited(level_id: str, **limits: int) -> Level:
    return level(level_id).model_copy(update={"limits": Limits(**limits)})


def test_a_job_beyond_the_longest_is_refused_with_all_its_copies() -> None:
    within = limited("autonomous", longest_job_s=7800)
    assert quote(at_level=within).verdict == "allow"
    view = quote(at_level=within, copies=2)
    assert (view.verdict, codes(view)) == ("refuse", ["quote-job-too-long"])
    assert view.reasons[0].params == {"minutes": 260, "limit_minutes": 130}
    assert quote(at_level=limited("autonomous", longest_job_s=7799)).verdict == "refuse"


def test_a_member_with_too_many_open_jobs_is_refused() -> None:
    within = limited("accompanied", open_jobs=3)
    assert quote(at_level=within, open_jobs=2).verdict == "ask"
    view = quote(at_level=within, open_jobs=3)
    assert (view.verdict, codes(view)) == ("refuse", ["quote-too-many-jobs"])
    assert view.reasons[0].params == {"open": 3, "limit": 3}


def test_every_limit_that_is_passed_is_said() -> None:
    strict = limited("served", open_jobs=1, longest_job_s=60)
    assert codes(quote(at_level=strict, open_jobs=1)) == ["quote-job-too-long", "quote-too-many-jobs"]


def test_copies_share_one_flat_fee_one_free_quantity_and_one_step() -> None:
    prices = tariff(
        {"sku": "TIME", "meter": "machine_s", "price_micro": 500, "step": 300},
        {"sku": "PLA", "meter": "filament_mg", "price_micro": 80, "free_qty": 1000},
        {"sku": "FEE", "meter": "flat", "price_micro": 500_000},
    )
    view = quote(prices=prices, quantities={Meter.FILAMENT_MG: 600, Meter.MACHINE_S: 100}, copies=4)
    # 400 s are two steps of 300; 2400 mg less 1000 free; one fee. 600 x 500 = 0.30 €, 1400 x 80 = 0.112 €.
    assert [(line.sku, line.qty, line.ttc_cents) for line in view.lines] == [
        ("TIME", "600", 30),
        (
            "PLA",
            "1400",
            12,
        ),  # 200 mg, 1.6 cents, then twice 600 mg, 4.8 cents: 2 + 5 + 5, as three attempts are charged
        ("FEE", "1", 50),
    ]
    assert view.total_ttc_cents == 92
    assert view.machine_s == 400


def test_material_that_the_tariff_forgets_is_said() -> None:
    assert remarks(quote(of=material("vinyl-300"), quantities={Meter.VINYL_MM: 10, Meter.MACHINE_S: 9})) == [
        "quote-material-unpriced"
    ]
    assert remarks(quote()) == []


def test_a_job_that_nothing_prices_is_said_and_costs_nothing() -> None:
    laser = EMBROIDERER.model_copy(update={"kind": "laser"})
    view = quote(machine=laser, remarks=(Message(code="first"),))
    assert remarks(view) == ["first", "quote-nothing-priced"]
    assert (view.lines, view.total_ttc_cents) == ((), 0)


def test_a_job_makes_at_least_one_copy() -> None:
    with pytest.raises(ValueError, match="at least one copy"):
        quote(copies=0)


stepped = tariff(
    {"sku": "TIME", "meter": "machine_s", "price_micro": 333, "step": 300, "free_qty": 250},
    {"sku": "PLA", "meter": "filament_mg", "price_micro": 77},
    {"sku": "FEE", "meter": "flat", "price_micro": 123_456},
)


@given(st.integers(0, 5000), st.integers(0, 90_000), st.integers(1, 7), st.sampled_from([EXAMPLE, stepped]))
def test_charges_that_come_out_as_estimated_add_up_to_the_quote(
    seconds: int, milligrams: int, copies: int, prices: Tariff
) -> None:
    each = {Meter.MACHINE_S: seconds, Meter.FILAMENT_MG: milligrams}
    view = quote(at_level=level("accompanied"), prices=prices, quantities=each, copies=copies)
    before: Counter[Meter] = Counter()
    total = 0
    for made in range(copies):
        lines = price(
            prices,
            level=level("accompanied"),
            machine=PRINTER,
            material=material("pla"),
            quantities=measured(each),
            before=before,
            first=made == 0,
            charged="measured",
        )
        total += sum(line.ttc_cents for line in lines)
        before.update(each)
    assert view.total_ttc_cents == total == sum(line.ttc_cents for line in view.lines)
