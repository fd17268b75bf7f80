"""The levels, prices and materials that a café has until it writes its own."""

from datetime import date

import pytest

from fabd.config.model import Machine
from fabd.metering.tariff import fits
from fabd.model import Meter
from unit.metering.samples import CONFIG, CUTTER, EMBROIDERER, EXAMPLE, PRINTER, material


def test_the_levels_are_those_of_the_design() -> None:
    assert CONFIG.default_level == "served"
    assert [(one.id, one.label["fr"], str(one.machine_time_coefficient), one.who_starts) for one in CONFIG.levels] == [
        ("served", "servi", "1.50", "facilitator"),
        ("accompanied", "accompagné", "1.25", "facilitator-releases"),
        ("autonomous", "autonome", "1.00", "self"),
        ("mentor", "référent", "0.80", "self"),
    ]


def test_a_failure_of_machine_or_operator_costs_nothing() -> None:
    assert {(one.failure.machine, one.failure.operator) for one in CONFIG.levels} == {("nothing", "nothing")}


def test_everything_has_a_label_in_both_languages() -> None:
    labels = [one.label for things in (CONFIG.levels, EXAMPLE.component, CONFIG.materials) for one in things]
    assert [label for label in labels if label.keys() != {"en", "fr"}] == []


def test_the_tariff_says_that_it_is_an_example() -> None:
    assert [(one.version, one.effective_from) for one in CONFIG.tariffs] == [("example", date(2026, 1, 1))]
    skus = [one.sku for one in EXAMPLE.component]
    assert len(skus) == len(set(skus))


@pytest.mark.parametrize(
    ("machine", "materials", "meters"),
    [
        (PRINTER, ["pla", "petg", "tpu"], [Meter.FILAMENT_MG, Meter.MACHINE_S]),
        (CUTTER, ["vinyl-300"], [Meter.VINYL_MM, Meter.MACHINE_S]),
        (EMBROIDERER, ["thread"], [Meter.STITCHES, Meter.COLOUR_CHANGES, Meter.MACHINE_S]),
    ],
)
def test_each_kind_and_material_has_its_prices_once(
    machine: Machine, materials: list[str], meters: list[Meter]
) -> None:
    for name in materials:
        assert [one.meter for one in EXAMPLE.component if fits(one, machine, material(name))] == meters


def test_each_kind_has_one_default_material() -> None:
    kinds = [kind for one in CONFIG.materials for kind in one.default_for]
    assert sorted(kinds) == ["cutter", "embroiderer", "printer"]


def test_every_filament_can_be_weighed() -> None:
    filaments = {one.id for one in CONFIG.materials if one.diameter_mm and one.density_g_cm3}
    assert filaments == {"pla", "petg", "tpu"}
