"""Prices, by hand. With the example tariff, in millionths of a euro:

printer  PLA 80/mg, PETG 90/mg, TPU 120/mg, time 333/s; cutter  vinyl 3000/mm, time 500/s;
embroiderer  1000/stitch, 100000/colour change, time 300/s. Time x 1.50 served, 1.25 accompanied, 1 autonomous, 0.80 mentor.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabd.config.model import Charged, Machine, Tariff
from fabd.errors import ConfigError
from fabd.metering.tariff import Line, day_of, fingerprint, guard, price, tariff_at
from fabd.model import Meter, Method
from fabd.store import Connection
from unit.metering.samples import AT, CONFIG, CUTTER, EMBROIDERER, EXAMPLE, PRINTER, level, material, measured, tariff

PLA_PRINT = {Meter.FILAMENT_MG: 42700, Meter.MACHINE_S: 7800, Meter.TRAVEL_MM: 9999}
STICKER = {Meter.VINYL_MM: 1234, Meter.MACHINE_S: 600, Meter.CUT_MM: 5000}
ROSETTE = {Meter.STITCHES: 8412, Meter.COLOUR_CHANGES: 5, Meter.MACHINE_S: 1500}


def cents(lines: tuple[Line, ...]) -> dict[str, int]:
    return {line.sku: line.ttc_cents for line in lines}


@pytest.mark.parametrize(
    ("machine", "material_id", "quantities", "level_id", "charged", "expected"),
    [
        # 42700 x 80 = 3.416 €; 7800 x 333 = 2.5974 €, x 1.50 = 3.8961, x 1.25 = 3.24675, x 0.80 = 2.07792
        (PRINTER, "pla", PLA_PRINT, "served", "measured", {"PRN-PLA": 342, "PRN-TIME": 390}),
        (PRINTER, "pla", PLA_PRINT, "accompanied", "measured", {"PRN-PLA": 342, "PRN-TIME": 325}),
        (PRINTER, "pla", PLA_PRINT, "autonomous", "measured", {"PRN-PLA": 342, "PRN-TIME": 260}),
        (PRINTER, "pla", PLA_PRINT, "mentor", "measured", {"PRN-PLA": 342, "PRN-TIME": 208}),
        (PRINTER, "pla", PLA_PRINT, "served", "material", {"PRN-PLA": 342}),
        (PRINTER, "pla", PLA_PRINT, "mentor", "material", {"PRN-PLA": 342}),
        (PRINTER, "pla", PLA_PRINT, "autonomous", "nothing", {}),
        # 42700 x 90 = 3.843; x 120 = 5.124
        (PRINTER, "petg", PLA_PRINT, "autonomous", "measured", {"PRN-PETG": 384, "PRN-TIME": 260}),
        (PRINTER, "tpu", PLA_PRINT, "accompanied", "measured", {"PRN-TPU": 512, "PRN-TIME": 325}),
        # 1234 x 3000 = 3.702; 600 x 500 = 0.30, x 1.50 = 0.45, x 1.25 = 0.375, x 0.80 = 0.24
        (CUTTER, "vinyl-300", STICKER, "served", "measured", {"CUT-VINYL": 370, "CUT-TIME": 45}),
        (CUTTER, "vinyl-300", STICKER, "accompanied", "measured", {"CUT-VINYL": 370, "CUT-TIME": 38}),
        (CUTTER, "vinyl-300", STICKER, "autonomous", "measured", {"CUT-VINYL": 370, "CUT-TIME": 30}),
        (CUTTER, "vinyl-300", STICKER, "mentor", "measured", {"CUT-VINYL": 370, "CUT-TIME": 24}),
        (CUTTER, "vinyl-300", STICKER, "accompanied", "material", {"CUT-VINYL": 370}),
        (CUTTER, "vinyl-300", STICKER, "served", "nothing", {}),
        # 8412 x 1000 = 8.412; 5 x 0.10; 1500 x 300 = 0.45, x 1.50 = 0.675, x 1.25 = 0.5625, x 0.80 = 0.36
        (EMBROIDERER, "thread", ROSETTE, "served", "measured", {"EMB-STITCH": 841, "EMB-COLOUR": 50, "EMB-TIME": 68}),
        (
            EMBROIDERER,
            "thread",
            ROSETTE,
            "accompanied",
            "measured",
            {"EMB-STITCH": 841, "EMB-COLOUR": 50, "EMB-TIME": 56},
        ),
        (
            EMBROIDERER,
            "thread",
            ROSETTE,
            "autonomous",
            "measured",
            {"EMB-STITCH": 841, "EMB-COLOUR": 50, "EMB-TIME": 45},
        ),
        (EMBROIDERER, "thread", ROSETTE, "mentor", "measured", {"EMB-STITCH": 841, "EMB-COLOUR": 50, "EMB-TIME": 36}),
        (EMBROIDERER, "thread", ROSETTE, "served", "material", {}),
        # Half a cent goes up, less goes down, and a line of 0 cents stays: 10 s x 500, 9 s x 500, 62 and 63 mg x 80.
        (CUTTER, "vinyl-300", {Meter.MACHINE_S: 10}, "autonomous", "measured", {"CUT-TIME": 1}),
        (CUTTER, "vinyl-300", {Meter.MACHINE_S: 9}, "autonomous", "measured", {"CUT-TIME": 0}),
        (PRINTER, "pla", {Meter.FILAMENT_MG: 62}, "autonomous", "measured", {"PRN-PLA": 0}),
        (PRINTER, "pla", {Meter.FILAMENT_MG: 63}, "autonomous", "measured", {"PRN-PLA": 1}),
        # Nothing used, nothing written; an unknown material has no price.
        (PRINTER, "pla", {Meter.FILAMENT_MG: 0, Meter.MACHINE_S: 0}, "served", "measured", {}),
        (PRINTER, None, {Meter.FILAMENT_MG: 1000, Meter.MACHINE_S: 100}, "autonomous", "measured", {"PRN-TIME": 3}),
    ],
)
def test_worked_examples(
    machine: Machine,
    material_id: str | None,
    quantities: Mapping[Meter, int],
    level_id: str,
    charged: Charged,
    expected: dict[str, int],
) -> None:
    lines = price(
        EXAMPLE,
        level=level(level_id),
        machine=machine,
        material=None if material_id is None else material(material_id),
        quantities=measured(quantities),
        before={},
        first=True,
        charged=charged,
    )
    assert cents(lines) == expected


def test_a_line_is_written_as_the_till_reads_it() -> None:
    lines = price(
        EXAMPLE,
        level=level("accompanied"),
        machine=PRINTER,
        material=material("pla"),
        quantities=measured(PLA_PRINT),
        before={},
        first=True,
        charged="measured",
        locale="en",
    )
    filament = {"sku": "PRN-PLA", "label": "PLA filament", "meter": "filament_mg", "qty": "42700"}
    time = {"sku": "PRN-TIME", "label": "3D printer, time", "meter": "machine_s", "qty": "7800"}
    assert [line.as_json() for line in lines] == [
        filament | {"method": "odometer", "price_micro": 80, "coef": "1.00", "ttc_cents": 342, "vat": "FR20"},
        time | {"method": "odometer", "price_micro": 333, "coef": "1.25", "ttc_cents": 325, "vat": "FR20"},
    ]


def attempts(prices: Tariff, meter: Meter, *amounts: int) -> list[tuple[int, int]]:
    """The (quantity, cents) that each of several attempts of one job is billed for `meter`; 0 where it has no line."""
    billed, before = [], 0
    for number, amount in enumerate(amounts):
        lines = price(
            prices,
            level=level("autonomous"),
            machine=PRINTER,
            material=material("pla"),
            quantities=measured({meter: amount}),
            before={meter: before},
            first=number == 0,
            charged="measured",
        )
        billed.append((sum(line.qty for line in lines), sum(line.ttc_cents for line in lines)))
        before += amount
    return billed


def test_steps_and_free_quantity_count_once_per_job() -> None:
    by_five_minutes = tariff({"sku": "T", "meter": "machine_s", "price_micro": 500, "step": 300, "free_qty": 600})
    # Beyond the free 600: 0; 100, one step; 200, the same step; 700, three steps.
    assert attempts(by_five_minutes, Meter.MACHINE_S, 500, 200, 100, 500) == [(0, 0), (300, 15), (0, 0), (600, 30)]


def test_a_flat_fee_counts_once_per_job_and_not_for_a_failure() -> None:
    with_fee = tariff({"sku": "FEE", "meter": "flat", "price_micro": 500_000})
    assert attempts(with_fee, Meter.MACHINE_S, 10, 10) == [(1, 50), (0, 0)]
    free: tuple[Charged, Charged] = ("material", "nothing")
    for charged in free:
        lines = price(
            with_fee,
            level=level("served"),
            machine=PRINTER,
            material=None,
            quantities={},
            before={},
            first=True,
            charged=charged,
        )
        assert lines == ()


def test_a_flat_fee_says_that_nothing_was_measured() -> None:
    with_fee = tariff({"sku": "FEE", "meter": "flat", "price_micro": 500_000})
    terms = {"level": level("served"), "machine": PRINTER, "material": None}
    (fee,) = price(with_fee, **terms, quantities={}, before={}, first=True, charged="measured")  # type: ignore[arg-type]
    assert (fee.qty, fee.method, fee.coef, fee.ttc_cents) == (1, Method.FIXED, Decimal("1.00"), 50)


@pytest.mark.parametrize(
    ("where", "fits"),
    [
        ({}, True),
        ({"kinds": ["printer"]}, True),
        ({"kinds": ["cutter", "printer"]}, True),
        ({"kinds": ["cutter"]}, False),
        ({"machines": ["prusa-1"]}, True),
        ({"machines": ["prusa-2"]}, False),
        ({"materials": ["vinyl"]}, True),  # by family
        ({"materials": ["vinyl-300"]}, True),
        ({"materials": ["pla"]}, False),
        ({"kinds": ["printer"], "machines": ["prusa-1"], "materials": ["pla"]}, False),
    ],
)
def test_a_component_applies_where_all_that_it_names_fits(where: dict[str, object], fits: bool) -> None:
    prices = tariff({"sku": "T", "meter": "machine_s", "price_micro": 500, **where})
    lines = price(
        prices,
        level=level("autonomous"),
        machine=PRINTER,
        material=material("vinyl-300"),
        quantities=measured({Meter.MACHINE_S: 60}),
        before={},
        first=True,
        charged="measured",
    )
    assert bool(lines) is fits


def test_two_components_that_fit_make_two_lines_in_the_tariffs_order() -> None:
    prices = tariff(
        {"sku": "WEAR", "meter": "machine_s", "price_micro": 100},
        {"sku": "TIME", "meter": "machine_s", "price_micro": 500, "vat": "FR0-293B"},
    )
    lines = price(
        prices,
        level=level("autonomous"),
        machine=PRINTER,
        material=None,
        quantities=measured({Meter.MACHINE_S: 600}),
        before={},
        first=True,
        charged="measured",
    )
    assert [(line.sku, line.ttc_cents, line.vat) for line in lines] == [("WEAR", 6, "FR20"), ("TIME", 30, "FR0-293B")]


linear = tariff(
    {"sku": "A", "meter": "machine_s", "price_micro": 333},
    {"sku": "B", "meter": "filament_mg", "price_micro": 77},
)
stepped = tariff(
    {"sku": "A", "meter": "machine_s", "price_micro": 333, "step": 300, "free_qty": 100},
    {"sku": "B", "meter": "filament_mg", "price_micro": 77, "free_qty": 1000},
    {"sku": "C", "meter": "flat", "price_micro": 123_456},
)
amount = st.integers(0, 2_000_000)


@given(amount, amount, amount, amount, st.sampled_from(CONFIG.levels), st.sampled_from([linear, stepped]))
def test_splitting_an_attempt_moves_no_line_by_more_than_a_rounding(
    s1: int, s2: int, mg1: int, mg2: int, at_level: object, prices: Tariff
) -> None:
    def priced(seconds: int, mg: int, *, before: Mapping[Meter, int], first: bool) -> dict[str, Line]:
        lines = price(
            prices,
            level=at_level,  # type: ignore[arg-type]
            machine=PRINTER,
            material=material("pla"),
            quantities=measured({Meter.MACHINE_S: seconds, Meter.FILAMENT_MG: mg}),
            before=before,
            first=first,
            charged="measured",
        )
        return {line.sku: line for line in lines}

    whole = priced(s1 + s2, mg1 + mg2, before={}, first=True)
    one = priced(s1, mg1, before={}, first=True)
    two = priced(s2, mg2, before={Meter.MACHINE_S: s1, Meter.FILAMENT_MG: mg1}, first=False)
    for sku, line in whole.items():
        parts = [half[sku] for half in (one, two) if sku in half]
        assert sum(part.qty for part in parts) == line.qty
        assert abs(sum(part.ttc_cents for part in parts) - line.ttc_cents) <= 1
    assert (one.keys() | two.keys()) == whole.keys()


@given(st.integers(0, 10**9), st.integers(0, 10**7), st.sampled_from(CONFIG.levels))
def test_a_line_is_rounded_once(qty: int, price_micro: int, at_level: object) -> None:
    lines = price(
        tariff({"sku": "T", "meter": "machine_s", "price_micro": price_micro}),
        level=at_level,  # type: ignore[arg-type]
        machine=PRINTER,
        material=None,
        quantities=measured({Meter.MACHINE_S: qty}),
        before={},
        first=True,
        charged="measured",
    )
    for line in lines:
        exact = Decimal(qty) * price_micro * line.coef / 10_000
        assert isinstance(line.ttc_cents, int)
        assert -Decimal("0.5") < line.ttc_cents - exact <= Decimal("0.5")


# --- versions ----------------------------------------------------------------------------------------


def versions(*days: str) -> list[Tariff]:
    component = {"sku": "T", "label": {"en": "time"}, "meter": "machine_s", "price_micro": 1, "vat": "FR20"}
    return [Tariff.model_validate({"version": day, "effective_from": day, "component": [component]}) for day in days]


def test_the_newest_tariff_that_has_begun_is_in_force() -> None:
    config = CONFIG.model_copy(update={"tariffs": tuple(versions("2026-06-01", "2026-01-01", "2026-09-01"))})
    assert tariff_at(config, date(2026, 5, 31)).version == "2026-01-01"
    assert tariff_at(config, date(2026, 6, 1)).version == "2026-06-01"
    assert tariff_at(config, date(2027, 1, 1)).version == "2026-09-01"
    with pytest.raises(ConfigError, match="No tariff is in force on 2025-12-31"):
        tariff_at(config, date(2025, 12, 31))


def test_a_day_begins_at_midnight_in_the_cafe() -> None:
    assert day_of(CONFIG, datetime(2026, 5, 31, 21, 59, tzinfo=UTC)) == date(2026, 5, 31)
    assert day_of(CONFIG, datetime(2026, 5, 31, 22, 0, tzinfo=UTC)) == date(2026, 6, 1)


def test_a_version_that_priced_something_is_never_edited(c: Connection) -> None:
    first = tariff({"sku": "T", "meter": "machine_s", "price_micro": 500}, version="2026-01")
    guard(c, first, AT)
    guard(c, first, AT)
    dearer = tariff({"sku": "T", "meter": "machine_s", "price_micro": 501}, version="2026-01")
    with pytest.raises(ConfigError, match="2026-01 has priced jobs since 2026-06-01 and was edited"):
        guard(c, dearer, AT)
    guard(c, dearer.model_copy(update={"version": "2026-02"}), AT)
    guard(c, first, AT)


@pytest.mark.parametrize(
    "change",
    [
        {"price_micro": 501},
        {"sku": "U"},
        {"label": {"en": "thing"}},
        {"meter": "cut_mm"},
        {"kinds": ["printer"]},
        {"machines": ["prusa-1"]},
        {"materials": ["pla"]},
        {"step": 2},
        {"free_qty": 1},
        {"vat": "FR10"},
    ],
)
def test_any_edit_changes_the_fingerprint(change: dict[str, object]) -> None:
    usual: dict[str, object] = {"sku": "T", "meter": "machine_s", "price_micro": 500}
    assert fingerprint(tariff(usual)) != fingerprint(tariff(usual | change))


def test_writing_a_default_out_changes_no_fingerprint() -> None:
    usual: dict[str, object] = {"sku": "T", "meter": "machine_s", "price_micro": 500}
    assert fingerprint(tariff(usual)) == fingerprint(tariff(usual | {"step": 1, "free_qty": 0, "kinds": []}))
