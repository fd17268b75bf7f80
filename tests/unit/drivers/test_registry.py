"""What the drivers say of a configuration: in the same report as all other mistakes."""

import re
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

from fabd.drivers.registry import find_driver, load_configuration
from fabd.errors import ConfigError
from fabd.messages import Message, say

EXAMPLES = Path(__file__).parents[3] / "config"
COMMENTED_OUT = re.compile(r"^# (?=\[\[machine\]\]|[a-z_.]+ = )", re.MULTILINE)


def configuration(directory: Path, *machines: str, site: str = "wazemmes") -> Path:
    (directory / "fabd.toml").write_text(f"[site]\nid = '{site}'\nname = 'POP Café'\n")
    (directory / "machines.toml").write_text("\n".join(f"[[machine]]\n{machine}" for machine in machines))
    return directory


def machine(ident: str, **changes: str) -> str:
    keys = {"id": f"'{ident}'", "name": "'It'", "kind": "'cutter'", "driver": "'hpgl'"}
    keys |= {"settings.url": f"'sim://hpgl?seed={ident}'", **changes}
    return "\n".join(f"{key} = {value}" for key, value in keys.items())


def problems(directory: Path) -> tuple[Message, ...]:
    with pytest.raises(ConfigError) as caught:
        load_configuration(directory)
    return caught.value.problems


def the_problem(directory: Path) -> Message:
    (problem,) = problems(directory)
    return problem


def test_examples_are_accepted_by_their_drivers() -> None:
    assert len(load_configuration(EXAMPLES).machines) == 3


def test_simulated_machines_of_the_examples_exist(tmp_path: Path) -> None:
    _, _, commented = (EXAMPLES / "machines.toml").read_text().partition("# Machines that are not there")
    configuration(tmp_path)
    (tmp_path / "machines.toml").write_text("# Machines that are not there" + COMMENTED_OUT.sub("", commented))
    assert {machine.driver for machine in load_configuration(tmp_path).machines} == {"marlin", "hpgl", "embroidery"}


def test_mistakes_of_shape_and_of_drivers_are_one_report(tmp_path: Path) -> None:
    configuration(
        tmp_path,
        machine("1", driver="'hpgll'"),
        machine("2", kind="'printer'"),
        machine("3", **{"settings.width_mm": "-3", "settings.lenght_mm": "500"}),
        machine("4", clears_itself="'often'", **{"settings.url": "'http://cutter'"}),
        site="Wazemmes",
    )
    assert [(p.params["key"], p.params["item"], p.code) for p in problems(tmp_path)] == [
        ("site.id", "", "config-wants-id"),
        ("machine[3].clears_itself", " (4)", "config-wants-boolean"),
        ("machine[0].driver", " (1)", "config-driver-unknown"),
        ("machine[1].kind", " (2)", "config-kind-not-driven"),
        ("machine[2].settings.width_mm", " (3)", "config-wants-more-than"),
        ("machine[2].settings.lenght_mm", " (3)", "config-key-misspelt"),
        ("machine[3].settings.url", " (4)", "config-wants-wire"),
    ]


def test_a_simulators_url_that_is_none_is_a_mistake_and_no_crash(tmp_path: Path) -> None:
    found = problems(configuration(tmp_path, machine("1", **{"settings.url": "'sim://['"})))
    assert {p.params["key"] for p in found} == {"machine[0].settings.url"}


def test_an_unknown_driver_is_answered_with_those_that_are_installed(tmp_path: Path) -> None:
    problem = the_problem(configuration(tmp_path, machine("1", driver="'grbl'")))
    assert problem.params["known"] == "embroidery, hpgl, marlin, octoprint"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("sim://lathe", "config-simulator-unknown"),
        ("sim://", "config-simulator-unknown"),
        ("sim://hpgl?sped=50", "config-key-misspelt"),
        ("sim://marlin?sped=50", "config-key-misspelt"),
        ("sim://marlin?unknown=1", "config-key-unknown"),
        ("sim://hpgl?speed=fast", "config-simulator-refused"),
        ("tcp://cutter", "config-wants-host-port"),
        ("tcp://cutter:70000", "config-wants-host-port"),
        ("serial://dev/ttyUSB0", "config-wants-device"),
        ("serial:///dev/ttyUSB0?baud=fast", "config-wants-baud"),
        ("serial:///dev/ttyUSB0?bauds=9600", "config-wants-baud"),
    ],
)
def test_a_wire_that_leads_nowhere_is_a_mistake(tmp_path: Path, url: str, code: str) -> None:
    problem = the_problem(configuration(tmp_path, machine("1", **{"settings.url": f"'{url}'"})))
    assert (problem.params["file"], problem.code) == ("machines.toml", code)
    assert str(problem.params["key"]).startswith("machine[0].settings.url")
    assert "{" not in say(problem)


@pytest.fixture
def broken_driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of an installed driver whose module cannot be imported."""
    entry = EntryPoint(name="broken", value="fabd_no_such_package:Driver", group="fabd.drivers")
    monkeypatch.setattr(
        "fabd.drivers.registry.entry_points",
        lambda **select: [entry] if select.get("name") == "broken" else entry_points(**select),
    )
    yield entry.name
    find_driver.cache_clear()


def test_a_driver_that_cannot_be_loaded_says_why(tmp_path: Path, broken_driver: str) -> None:
    problem = the_problem(configuration(tmp_path, machine("1", driver=f"'{broken_driver}'")))
    assert problem.code == "config-driver-broken"
    assert "fabd_no_such_package" in str(problem.params["detail"])
