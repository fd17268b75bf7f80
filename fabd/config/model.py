"""The settings of a café, as validated values: what each key means, its unit, and why its default.

Five files make one configuration: `fabd.toml` (`Site` and below), `machines.toml`, `materials.toml`,
`levels.toml`, `tariff.toml`. Numbers that reach money are written as text or whole numbers; a TOML float there
is an error.
"""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, LiteralString
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from fabd.model import Meter


class Settings(BaseModel):
    """Base: frozen, and a key that nobody knows is a mistake, not a comment."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def refused(code: LiteralString, **params: str) -> PydanticCustomError:
    """What a validator raises: `code` is a message that begins with `{file}, {key}{item}: found {found}`."""
    return PydanticCustomError(code, code, params)


def _no_float(value: object) -> object:
    if isinstance(value, float):
        raise refused("config-wants-exact")
    return value


def _known_zone(name: str) -> str:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise refused("config-wants-timezone") from error
    return name


def _listens(address: str) -> str:
    """`address` itself, if it is a host and a port to listen on; port 0 takes any that is free."""
    try:
        parts = urlsplit(f"tcp://{address}")
        complete = parts.hostname is not None and parts.port is not None
    except ValueError as error:
        raise refused("config-wants-listen") from error
    if not complete or parts.username is not None or parts.netloc != address:
        raise refused("config-wants-listen")
    return address


def _names_broker(url: str) -> str:
    try:
        parts = urlsplit(url)
        complete = parts.hostname is not None and (parts.port != 0 or parts.scheme == "embedded")
    except ValueError as error:
        raise refused("config-wants-broker") from error
    if not complete or parts.scheme not in ("mqtt", "mqtts", "embedded"):
        raise refused("config-wants-broker")
    return url


ID_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,39}$"
Id = Annotated[str, Field(pattern=ID_PATTERN)]
"""What people type and topics carry: lower case letters, digits, `.`, `_`, `-`."""
Exact = Annotated[Decimal, BeforeValidator(_no_float), Field(ge=0)]
MicroEuro = Annotated[int, Field(ge=0, strict=True)]
Labels = Annotated[dict[Literal["en", "fr"], str], Field(min_length=1)]
"""A label in each language that people read."""

# --- fabd.toml ---------------------------------------------------------------------------------------


class Site(Settings):
    id: Id
    name: str
    timezone: Annotated[str, AfterValidator(_known_zone)] = "Europe/Paris"
    locale: Literal["en", "fr"] = "fr"


class StoreSettings(Settings):
    path: Path = Path("/var/lib/fabd")


class ApiSettings(Settings):
    socket: Path = Path("/run/fabd/fabd.sock")
    administrators: tuple[str, ...] = ()
    """Unix accounts that may do everything, beside root and the daemon's own account."""
    facilitators: tuple[str, ...] = ()
    """Unix accounts that act as a facilitator; who it was in person is said with `--as`."""
    senders: tuple[str, ...] = ()
    """Unix accounts that may only send jobs, such as a kiosk's: what a level asks a facilitator for waits for one."""


class MqttSettings(Settings):
    url: Annotated[str, AfterValidator(_names_broker)]
    """`mqtt://user:password@host:1883`, `mqtts://` for TLS, `embedded://127.0.0.1:1883` for a broker of its own."""
    tills: tuple[Id, ...] = ()
    """Tills whose acknowledgement an entry needs to count as delivered. None: all that ever acknowledged something."""


class MetricsSettings(Settings):
    listen: Annotated[str, AfterValidator(_listens)] = "127.0.0.1:9402"


class FabdFile(Settings):
    site: Site
    store: StoreSettings = StoreSettings()
    api: ApiSettings = ApiSettings()
    mqtt: MqttSettings | None = None
    metrics: MetricsSettings | None = None


# --- machines.toml -----------------------------------------------------------------------------------


class Machine(Settings):
    id: Id
    name: str
    kind: Id
    """What a person is trained on. An open name: `printer`, `cutter`, `embroiderer`, or your own."""
    driver: str
    default_material: Id | None = None
    """What the machine is taken to hold while nobody loaded anything; recorded as such."""
    clears_itself: bool = False
    """The machine empties its own bed: no person has to say that it is ready."""
    settings: dict[str, object] = {}
    """The driver's own settings, checked by the driver's `Config`."""


class MachinesFile(Settings):
    machine: tuple[Machine, ...] = ()


# --- materials.toml ----------------------------------------------------------------------------------


class Material(Settings):
    id: Id
    label: Labels
    family: Id
    """What a tariff may name instead of each material: `pla`, `vinyl`, `thread`."""
    diameter_mm: Exact | None = None
    density_g_cm3: Exact | None = None
    """Filament only: both, so that millimetres become milligrams."""
    roll_width_mm: Exact | None = None
    """Vinyl only: the full width is used, however narrow the drawing."""
    default_for: tuple[Id, ...] = ()
    """Kinds whose machines hold this where they declare no `default_material`."""


class Lot(Settings):
    """One spool, roll or cone that a person can load by name."""

    id: Id
    material: Id
    colour: str | None = None


class MaterialsFile(Settings):
    material: tuple[Material, ...] = ()
    lot: tuple[Lot, ...] = ()


# --- levels.toml -------------------------------------------------------------------------------------

Charged = Literal["nothing", "material", "measured"]
"""What is charged for a piece that is no good: nothing, only its material, or all that was measured."""


class FailureCharge(Settings):
    machine: Charged = "nothing"
    operator: Charged = "nothing"
    member: Charged = "measured"
    unknown: Charged = "material"


class Limits(Settings):
    longest_job_s: Annotated[int, Field(gt=0)] | None = None
    open_jobs: Annotated[int, Field(gt=0)] | None = None


class Level(Settings):
    id: Id
    label: Labels
    machine_time_coefficient: Exact
    """Multiplies the price of machine time; material is never multiplied."""
    who_starts: Literal["facilitator", "facilitator-releases", "self"]
    limits: Limits = Limits()
    failure: FailureCharge = FailureCharge()


class LevelsFile(Settings):
    default: Id
    """The level of somebody without a grant for that kind, and of walk-ins."""
    level: tuple[Level, ...]


# --- tariff.toml -------------------------------------------------------------------------------------


class Component(Settings):
    """One price: `price_micro` for each unit of `meter`, or once per job for the meter `flat`."""

    sku: Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9._-]{0,39}$")]
    label: Labels
    meter: Meter
    kinds: tuple[Id, ...] = ()
    """Empty: all kinds. Likewise below."""
    machines: tuple[Id, ...] = ()
    materials: tuple[Id, ...] = ()
    """Ids or families of materials."""
    price_micro: MicroEuro
    """Millionths of a euro for one unit, tax included."""
    step: Annotated[int, Field(gt=0)] = 1
    """Quantities are billed in whole steps, rounded up: 300 on `machine_s` bills by five started minutes."""
    free_qty: Annotated[int, Field(ge=0)] = 0
    """What each job has free of this meter."""
    vat: str


class Tariff(Settings):
    """A dated, immutable version of the prices: one that has priced something is never edited."""

    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,39}$")]
    effective_from: date
    currency: Literal["EUR"] = "EUR"
    component: tuple[Component, ...]


class TariffFile(Settings):
    tariff: Annotated[tuple[Tariff, ...], Field(min_length=1)]


# --- all of it ---------------------------------------------------------------------------------------


class Configuration(Settings):
    """One café, complete and consistent: every id that is named exists."""

    fabd: FabdFile
    machines: tuple[Machine, ...]
    materials: tuple[Material, ...]
    lots: tuple[Lot, ...]
    levels: tuple[Level, ...]
    default_level: str
    tariffs: tuple[Tariff, ...]
