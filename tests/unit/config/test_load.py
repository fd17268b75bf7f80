"""The configuration: complete examples load, and every mistake is in one report with its exact key."""

import os
import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from fabd import clock
from fabd.config import Configuration, load, material_for
from fabd.config.read import DEFAULTS
from fabd.errors import ConfigError
from fabd.messages import Message

EXAMPLES = Path(__file__).parents[3] / "config"

FABD = """
[site]
id = "wazemmes"
name = "POP Café Wazemmes"
"""
MACHINES = """
[[machine]]
id = "prusa-1"
name = "Prusa du fond"
kind = "printer"
driver = "marlin"
settings.url = "sim://marlin?seed=1"
"""
TARIFF = """
[[tariff]]
version = "2026-01"
effective_from = 2026-01-01
component = [{ sku = "PRN-TIME", label = { fr = "Temps" }, meter = "machine_s", price_micro = 333, vat = "FR20" }]
"""


def write(directory: Path, **files: str) -> Path:
    """A directory with the smallest configuration, and `files` (name without suffix -> text) in it."""
    for name, text in {"fabd": FABD, "machines": MACHINES, **files}.items():
        (directory / f"{name}.toml").write_text(text)
    return directory


def mistakes(directory: Path) -> list[tuple[object, object, object]]:
    """What `load` finds wrong: file, key and what was found there."""
    return [(p.params["file"], p.params.get("key"), p.params.get("found")) for p in problems(directory)]


def problems(directory: Path) -> tuple[Message, ...]:
    with pytest.raises(ConfigError) as caught:
        load(directory)
    assert caught.value.problems
    return caught.value.problems


def the_problem(directory: Path) -> Message:
    (problem,) = problems(directory)
    return problem


def test_two_files_are_a_configuration_and_the_rest_is_shipped(tmp_path: Path) -> None:
    config = load(write(tmp_path))
    assert [machine.id for machine in config.machines] == ["prusa-1"]
    assert [tariff.version for tariff in config.tariffs] == ["example"]
    assert config.default_level in {level.id for level in config.levels}
    assert config.fabd.site.timezone == "Europe/Paris"
    assert config.fabd.mqtt is None


def test_examples_are_a_configuration() -> None:
    config = load(EXAMPLES)
    assert {machine.kind for machine in config.machines} == {"printer", "cutter", "embroiderer"}
    assert config.fabd.mqtt is not None
    assert config.fabd.metrics is not None


@pytest.mark.parametrize("file", ["materials.toml", "levels.toml", "tariff.toml"])
def test_examples_are_the_shipped_defaults(file: str) -> None:
    assert (EXAMPLES / file).read_text() == (DEFAULTS / file).read_text()


def test_five_mistakes_in_three_files_are_one_report(tmp_path: Path) -> None:
    fabd = FABD.replace('"wazemmes"', '"Wazemmes"') + '[metrics]\nlisten = "9402"\n'
    machines = MACHINES.replace("driver =", "drivr =").replace("[[machine]]", '[[machine]]\ndefault_material = "plla"')
    tariff = TARIFF.replace("333", "0.33")
    assert mistakes(write(tmp_path, fabd=fabd, machines=machines, tariff=tariff)) == [
        ("fabd.toml", "site.id", '"Wazemmes"'),
        ("fabd.toml", "metrics.listen", '"9402"'),
        ("machines.toml", "machine[0].driver", ""),
        ("machines.toml", "machine[0].drivr", '"marlin"'),
        ("machines.toml", "machine[0].default_material", '"plla"'),
        ("tariff.toml", "tariff[0].component[0].price_micro", "0.33"),
    ]


def test_report_is_a_sentence_for_each_mistake(tmp_path: Path) -> None:
    write(tmp_path, machines=MACHINES.replace("driver =", "drivr ="))
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert str(caught.value).splitlines() == [
        "The configuration has 2 mistake(s):",
        "machines.toml, machine[0].driver (prusa-1): found nothing, expected this key: it has no default.",
        "machines.toml, machine[0].drivr (prusa-1): found an unknown key. Is it meant to be driver?",
    ]


def test_no_directory_is_one_problem(tmp_path: Path) -> None:
    problem = the_problem(tmp_path / "nowhere")
    assert problem == Message(code="config-no-directory", params={"path": str(tmp_path / "nowhere")})


def test_a_file_in_the_place_of_the_directory_is_one_problem(tmp_path: Path) -> None:
    write(tmp_path)
    assert the_problem(tmp_path / "fabd.toml").code == "config-no-directory"


def test_a_directory_without_fabd_toml_is_one_problem(tmp_path: Path) -> None:
    assert the_problem(tmp_path).code == "config-no-fabd-toml"


def test_machines_must_be_declared(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "machines.toml").unlink()
    assert the_problem(tmp_path) == Message(code="config-file-missing", params={"file": "machines.toml"})


def test_a_link_that_leads_nowhere_is_no_reason_for_the_shipped_file(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "tariff.toml").symlink_to(tmp_path / "gone.toml")
    assert the_problem(tmp_path) == Message(code="config-file-missing", params={"file": "tariff.toml"})


@pytest.mark.parametrize(
    ("text", "line"), [("[site]\nid = \n", 2), ("[site]\nid = 'x'\nid = 'y'\n", 3), ("[site]\nname = '''\nx\n", 4)]
)
def test_what_is_no_toml_is_named_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    problem = the_problem(write(tmp_path, fabd=text))
    assert (problem.code, problem.params["file"], problem.params["line"]) == ("config-syntax", "fabd.toml", line)
    assert "at line" not in str(problem.params["detail"])


def test_what_is_no_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "fabd.toml").write_bytes("[site]\nid = 'x'\nname = 'Café'\n".encode("latin-1"))
    problem = the_problem(tmp_path)
    assert (problem.code, problem.params["line"]) == ("config-not-utf8", 3)


def test_an_unreadable_file_hides_no_mistake_elsewhere_and_makes_up_none(tmp_path: Path) -> None:
    machines = MACHINES.replace("[[machine]]", '[[machine]]\ndefault_material = "pla-9"\nclears_itself = "often"')
    write(tmp_path, machines=machines)
    (tmp_path / "materials.toml").mkdir()
    assert mistakes(tmp_path) == [
        ("machines.toml", "machine[0].clears_itself", '"often"'),
        ("materials.toml", None, None),
    ]


def test_a_directory_that_may_not_be_read_is_one_problem(tmp_path: Path) -> None:
    write(tmp_path)
    tmp_path.chmod(0)
    was_root = os.geteuid() == 0
    if was_root:  # who may read everything
        os.seteuid(65534)
    try:
        assert the_problem(tmp_path).code == "config-file-unreadable"
    finally:
        if was_root:
            os.seteuid(0)
        tmp_path.chmod(0o700)


def test_a_file_under_a_nearly_right_name_is_not_passed_over(tmp_path: Path) -> None:
    write(tmp_path, tarif=TARIFF)
    problem = the_problem(tmp_path)
    assert problem == Message(code="config-file-misspelt", params={"file": "tarif.toml", "nearest": "tariff.toml"})


def test_other_files_may_lie_beside(tmp_path: Path) -> None:
    assert load(write(tmp_path, pyproject="not = 'ours'")).fabd.site.id == "wazemmes"


def test_an_unknown_key_without_a_near_one_names_all(tmp_path: Path) -> None:
    problem = the_problem(write(tmp_path, fabd=FABD + "wlan = true\n"))
    assert (problem.code, problem.params["key"]) == ("config-key-unknown", "site.wlan")
    assert problem.params["known"] == "id, name, timezone, locale"


@pytest.mark.parametrize(
    ("addition", "key", "code"),
    [
        ("timezone = 'Europe/Lille'", "site.timezone", "config-wants-timezone"),
        ("timezone = 5", "site.timezone", "config-wants-text"),
        ("locale = 'de'", "site.locale", "config-wants-choice"),
        ("[store]\npath = 5", "store.path", "config-wants-text"),
        ("[api]\nadministrators = 'pi'", "api.administrators", "config-wants-list"),
        ("[api]\nadministrators = [5]", "api.administrators[0]", "config-wants-text"),
        ("[mqtt]", "mqtt.url", "config-key-missing"),
        ("[mqtt]\nurl = 'http://localhost'", "mqtt.url", "config-wants-broker"),
        ("[mqtt]\nurl = 'mqtt://localhost:70000'", "mqtt.url", "config-wants-broker"),
        ("[metrics]\nlisten = '127.0.0.1:70000'", "metrics.listen", "config-wants-listen"),
        ("[metrics]\nlisten = 'http://127.0.0.1:9402'", "metrics.listen", "config-wants-listen"),
    ],
)
def test_each_value_of_fabd_toml_says_what_it_wants(tmp_path: Path, addition: str, key: str, code: str) -> None:
    problem = the_problem(write(tmp_path, fabd=f"{FABD}{addition}\n"))
    assert (problem.params["key"], problem.code) == (key, code)


def test_a_password_is_not_repeated(tmp_path: Path) -> None:
    problem = the_problem(write(tmp_path, fabd=f"{FABD}[mqtt]\nurl = 'mqt://fabd:s3cret@broker'\n"))
    assert problem.params["found"] == '"mqt://fabd:***@broker"'


def test_two_machines_cannot_share_an_id_or_a_wire(tmp_path: Path) -> None:
    both = MACHINES.replace("sim://marlin?seed=1", "serial:///dev/ttyUSB0?baud=115200")
    both += MACHINES.replace("sim://marlin?seed=1", "serial:///dev/ttyUSB0?baud=250000")
    assert mistakes(write(tmp_path, machines=both)) == [
        ("machines.toml", "machine[1].id", '"prusa-1"'),
        ("machines.toml", "machine[1].settings.url", '"serial:///dev/ttyUSB0?baud=250000"'),
    ]


@pytest.mark.parametrize("url", ["tcp://[", "serial:", "", "sim://[?"])
def test_a_url_that_is_none_is_left_to_the_driver(tmp_path: Path, url: str) -> None:
    assert len(load(write(tmp_path, machines=MACHINES.replace("sim://marlin?seed=1", url))).machines) == 1


def test_a_table_in_place_of_a_list_of_tables_says_how_to_write_it(tmp_path: Path) -> None:
    problem = the_problem(write(tmp_path, machines=MACHINES.replace("[[machine]]", "[machine]")))
    assert (problem.params["key"], problem.code) == ("machine", "config-wants-tables")


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "fabd.toml").write_text(FABD, encoding="utf-8-sig")
    assert load(tmp_path).fabd.site.id == "wazemmes"


def test_two_simulated_machines_differ_by_their_parameters(tmp_path: Path) -> None:
    other = MACHINES.replace("prusa-1", "prusa-2").replace("seed=1", "seed=2")
    assert len(load(write(tmp_path, machines=MACHINES + other)).machines) == 2


def test_materials_are_unique_complete_and_named_where_they_exist(tmp_path: Path) -> None:
    materials = """
    material = [
        { id = "pla", label = { en = "PLA" }, family = "pla", diameter_mm = "1.75", default_for = ["printer"] },
        { id = "pla", label = { en = "PLA" }, family = "pla", density_g_cm3 = 1.24, default_for = ["printer"] },
    ]
    lot = [{ id = "a", material = "pla" }, { id = "a", material = "petg" }]
    """
    found = problems(write(tmp_path, materials=materials))
    assert sorted((str(p.params["key"]), p.code) for p in found) == [
        ("lot[1].id", "config-duplicate"),
        ("lot[1].material", "config-no-such"),
        ("material[0].density_g_cm3", "config-filament-halves"),
        ("material[1].default_for[0]", "config-default-twice"),
        ("material[1].density_g_cm3", "config-wants-exact"),
        ("material[1].diameter_mm", "config-filament-halves"),
        ("material[1].id", "config-duplicate"),
    ]


def test_the_default_level_must_be_a_level(tmp_path: Path) -> None:
    levels = (DEFAULTS / "levels.toml").read_text().replace('default = "served"', 'default = "serf"')
    problem = the_problem(write(tmp_path, levels=levels))
    assert problem.params["key"] == "default"
    assert problem.params["known"] == "accompanied, autonomous, mentor, served"


def test_a_coefficient_is_text(tmp_path: Path) -> None:
    levels = (DEFAULTS / "levels.toml").read_text().replace('"1.50"', "1.5")
    problem = the_problem(write(tmp_path, levels=levels))
    assert (problem.params["key"], problem.code) == ("level[0].machine_time_coefficient", "config-wants-exact")


def test_two_tariffs_differ_in_version_and_day(tmp_path: Path) -> None:
    assert mistakes(write(tmp_path, tariff=TARIFF + TARIFF)) == [
        ("tariff.toml", "tariff[1].version", '"2026-01"'),
        ("tariff.toml", "tariff[1].effective_from", "2026-01-01"),
    ]


def test_a_tariff_names_only_what_exists(tmp_path: Path) -> None:
    scope = 'kinds = ["printer", "printre"], machines = ["prusa-2"], materials = ["pla", "plla"]'
    tariff = TARIFF.replace("price_micro", f"{scope}, price_micro")
    assert mistakes(write(tmp_path, tariff=tariff)) == [
        ("tariff.toml", "tariff[0].component[0].materials[1]", '"plla"'),
        ("tariff.toml", "tariff[0].component[0].kinds[1]", '"printre"'),
        ("tariff.toml", "tariff[0].component[0].machines[0]", '"prusa-2"'),
    ]


def test_a_tariff_of_the_past_may_name_what_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = TARIFF.replace("price_micro", 'machines = ["gone"], price_micro')
    new = TARIFF.replace("2026-01-01", "2026-06-01").replace("2026-01", "2026-06")
    write(tmp_path, tariff=old + new)
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 5, 31, 12, tzinfo=UTC))
    assert the_problem(tmp_path).params["key"] == "tariff[0].component[0].machines[0]"
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 6, 1, 12, tzinfo=UTC))
    assert [tariff.effective_from for tariff in load(tmp_path).tariffs] == [date(2026, 1, 1), date(2026, 6, 1)]


def test_the_example_tariff_may_price_materials_that_a_cafe_has_not(tmp_path: Path) -> None:
    materials = 'material = [{ id = "wood", label = { en = "Wood" }, family = "wood" }]'
    write(tmp_path, materials=materials)
    assert [material.id for material in load(tmp_path).materials] == ["wood"]
    shutil.copy(DEFAULTS / "tariff.toml", tmp_path)
    assert [tariff.version for tariff in load(tmp_path).tariffs] == ["example"]


def test_an_empty_tariff_file_prices_nothing(tmp_path: Path) -> None:
    assert the_problem(write(tmp_path, tariff="tariff = []")).code == "config-wants-length-from"


def machine_of(config: Configuration, **changes: object) -> Configuration:
    machine = config.machines[0].model_copy(update=changes)
    return config.model_copy(update={"machines": (machine,)})


def test_a_machine_holds_what_it_declares_else_what_its_kind_does(tmp_path: Path) -> None:
    config = load(write(tmp_path))
    held = material_for(config, config.machines[0])
    assert held is not None
    assert (held.id, held.diameter_mm) == ("pla", Decimal("1.75"))
    declared = machine_of(config, default_material="petg")
    assert (found := material_for(declared, declared.machines[0])) is not None
    assert found.id == "petg"
    press = machine_of(config, kind="heat-press")
    assert material_for(press, press.machines[0]) is None
