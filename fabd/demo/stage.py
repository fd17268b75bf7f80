"""The café of the demo: its configuration on disk, its three simulated machines, the files that people bring."""

from dataclasses import dataclass
from pathlib import Path

SPEED = 20
"""How many times faster than life the simulated machines are: five minutes of work are over in a quarter of one."""

PRINTER = f"sim://marlin?seed=1&speed={SPEED}"
CUTTER = f"sim://hpgl?seed=2&speed={SPEED}"
EMBROIDERER = f"sim://embroidery?seed=3&speed={SPEED}"

FABD_TOML = """\
[site]
id = "demo"
name = "POP Café (demo)"
locale = "{locale}"
[store]
path = "{directory}/store"
[api]
socket = "{directory}/fabd.sock"
[mqtt]
url = "embedded://127.0.0.1:0"
tills = ["demo-till"]
[metrics]
listen = "127.0.0.1:0"
"""

MACHINES_TOML = f"""\
[[machine]]
id = "prusa-1"
name = "Prusa du fond"
kind = "printer"
driver = "marlin"
[machine.settings]
url = "{PRINTER}"

[[machine]]
id = "cutter-1"
name = "Découpe vinyle"
kind = "cutter"
driver = "hpgl"
[machine.settings]
url = "{CUTTER}"

[[machine]]
id = "brother-1"
name = "Brodeuse"
kind = "embroiderer"
driver = "embroidery"
[machine.settings]
url = "{EMBROIDERER}"
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """Somebody who comes in with a file."""

    member: str
    kind: str
    level: str
    machine: str
    file: str


VISITS = (
    Visit(member="alice", kind="printer", level="autonomous", machine="prusa-1", file="keyring.gcode"),
    Visit(member="karim", kind="cutter", level="accompanied", machine="cutter-1", file="sticker.hpgl"),
    Visit(member="odile", kind="embroiderer", level="served", machine="brother-1", file="flower.dst"),
)
FACILITATOR = "lea"


def examples() -> Path:
    """Where the files lie that the visitors bring: in the package, or in the checkout that it is run from."""
    inside = Path(__file__).parent / "examples"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "examples"


def write_configuration(directory: Path, locale: str) -> None:
    """Lay the café's files into `directory`; prices, levels and materials are the shipped ones."""
    (directory / "fabd.toml").write_text(FABD_TOML.format(directory=directory, locale=locale))
    (directory / "machines.toml").write_text(MACHINES_TOML)
