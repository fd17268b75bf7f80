"""The settings of a cutter, and the dialect that they choose."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from fabd.config.model import refused
from fabd.drivers.wire import check_url

Millimetres = Annotated[float, Field(gt=0, le=100_000)]
MillimetresPerSecond = Annotated[float, Field(gt=0, le=10_000)]


def _commands(text: str) -> str:
    if not re.fullmatch(r"([A-Z!]{2}[0-9,.-]*;)*", text):
        raise refused("cutter-wants-commands")
    return text


Commands = Annotated[str, Field(max_length=60), AfterValidator(_commands)]


class HpglConfig(BaseModel):
    """One cutter or pen plotter that speaks HP-GL. What differs between makes is a setting, never a guess."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[str, AfterValidator(check_url)]
    width_mm: Millimetres = 300.0
    """What can be used across the roll (Y), without the strips under the pinch rollers."""
    length_mm: Millimetres = 1000.0
    """The longest feed (X)."""
    readback: Literal["hp", "none"] = "hp"
    """`hp`: the machine answers `ESC.B`, `ESC.O`, `ESC.E`, `OA` and `OE`. `none`: it says nothing, fabd paces by the
    speeds below, and a person confirms the end."""
    buffer_bytes: Annotated[int, Field(ge=64)] = 1024
    """The machine's buffer where it says nothing; one that answers is asked."""
    cut_mm_s: MillimetresPerSecond = 50.0
    travel_mm_s: MillimetresPerSecond = 100.0
    """The speeds set at the machine, rather too low than too high: they pace a silent machine and make the estimates."""
    lift_s: Annotated[float, Field(ge=0, le=10)] = 0.1
    """How long the tool takes down or up."""
    initialise: Commands = "IN;"
    """Sent before a job. Some cutters ignore all that comes before an `IN;`."""
    epilogue: Commands = "SP0;"
    """Sent after a job, when all of it is proven made: on many cutters `IN;` throws away what still waits."""
    pu_ignores_coordinates: bool = False
    """`PUx,y;` lifts the tool without moving it: travel is sent as `PU;PAx,y;`."""
    newline: bool = False
    """The cutter needs a line end after each command."""

    @property
    def answers(self) -> bool:
        """Whether the machine says anything."""
        return self.readback == "hp"

    def has_room_for(self, x_mm: float, y_mm: float) -> bool:
        """Whether a point lies on the media."""
        return 0 <= x_mm <= self.length_mm and 0 <= y_mm <= self.width_mm

    def ended(self, *commands: bytes) -> bytes:
        """`commands` as this machine wants them ended."""
        end = b";\n" if self.newline else b";"
        return b"".join(command + end for command in commands)

    def pen_down(self, x: int, y: int) -> bytes:
        """Cut to a point, in plotter units."""
        return self.ended(b"PD%d,%d" % (x, y))

    def pen_up(self, x: int, y: int) -> bytes:
        """Travel to a point, in plotter units, with the tool lifted."""
        if self.pu_ignores_coordinates:
            return self.ended(b"PU", b"PA%d,%d" % (x, y))
        return self.ended(b"PU%d,%d" % (x, y))

    def encoded(self, commands: str) -> bytes:
        """`initialise` or `epilogue` as bytes."""
        return self.ended(*(command.encode("ascii") for command in commands.split(";") if command))
