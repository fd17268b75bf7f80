"""The pen of an HPGL plotter: where it is, whether it is down, and the strokes that it leaves on the sheet."""

import math
from dataclasses import dataclass, field

from fabd.errors import JobRejected
from fabd.formats import hpgl_scaling
from fabd.formats.hpgl_scaling import PLOTTER_UNITS, Corners, Mapping
from fabd.formats.hpgl_tokens import Command
from fabd.formats.plotter import CHORD_ERROR_MM, UNITS_PER_MM, Point, Sheet, pieces

MOST_PENS = 255


@dataclass(kw_only=True, slots=True)
class _Polygon:
    """The polygon buffer: its edges, and what the pen was like before."""

    at: Point
    is_down: bool
    start: Point
    edges: list[list[Point]] = field(default_factory=list)
    open: bool = True
    starting: bool = False
    """The next point begins a new subpolygon, and is reached without an edge."""


class Pen:
    """Obeys commands. Positions are kept in plotter units; the strokes go to `sheet`."""

    def __init__(self) -> None:
        self.sheet = Sheet()
        self.offset = 0
        """Where in the file the command stands that is being obeyed."""
        self._at: Point = (0.0, 0.0)
        self._is_down = False
        self._is_relative = False
        self._number = 1  # many cutters' files choose none
        self._line: list[Point] = []
        self._corners: Corners | None = None
        self._scale: Command | None = None
        self._mapping: Mapping | None = PLOTTER_UNITS
        self._polygon: _Polygon | None = None
        self._page_is_over = False

    # --- states -----------------------------------------------------------------------------------

    @property
    def in_polygon(self) -> bool:
        return self._polygon is not None and self._polygon.open

    def reset(self) -> None:
        """`IN`: as after switching on; the pen stays where it is, lifted."""
        self.finish()
        self._is_down = False
        self._corners = None
        self.defaults()

    def defaults(self) -> None:
        """`DF`: plotter units, absolute coordinates, and an empty polygon buffer."""
        self._is_relative = False
        self._polygon = None
        self._scale, self._mapping = None, PLOTTER_UNITS

    def corners(self, command: Command) -> None:
        """`IP`: where P1 and P2 are. P2 follows P1 when it is not given."""
        numbers = command.arity(0, 2, 4)
        if len(numbers) == 4:
            self._corners = (numbers[0], numbers[1], numbers[2], numbers[3])
        elif len(numbers) == 2 and self._corners is not None:
            x1, y1, x2, y2 = self._corners
            self._corners = (*numbers[:2], numbers[0] + x2 - x1, numbers[1] + y2 - y1)
        else:
            self._corners = None
        self._mapping = None if self._scale else PLOTTER_UNITS

    def scale(self, command: Command) -> None:
        """`SC`: user units from now on; without numbers, plotter units."""
        self._scale = command if command.arity(0, 4, 5, 7) else None
        self._mapping = None if self._scale else PLOTTER_UNITS

    def _scaling(self) -> Mapping:
        if self._mapping is None:
            assert self._scale is not None
            self._mapping = hpgl_scaling.mapping(self._scale, self._corners)
        return self._mapping

    def select(self, command: Command) -> None:
        """`SP`: another pen; 0 puts it away."""
        (number,) = command.arity(0, 1) or (0.0,)
        if number not in range(MOST_PENS + 1):
            raise JobRejected("hpgl-no-such-pen", offset=command.offset, pen=number, limit=MOST_PENS)
        self.finish()
        self._number = int(number)

    def end_page(self) -> None:
        """`PG` and its like: what is drawn from here on would lie on another sheet."""
        self.finish()
        self._page_is_over = bool(self.sheet.strokes)

    # --- motions ----------------------------------------------------------------------------------

    def up(self, command: Command) -> None:
        self.finish()
        self._is_down = False
        self._go_all(command)

    def down(self, command: Command) -> None:
        if not self._is_down:
            self._is_down = True
            self._line = [self._at]
        self._go_all(command)

    def absolute(self, command: Command) -> None:
        self._is_relative = False
        self._go_all(command)

    def relative(self, command: Command) -> None:
        self._is_relative = True
        self._go_all(command)

    def _go_all(self, command: Command) -> None:
        for x, y in command.pairs():
            self._go(self._target(x, y, is_relative=self._is_relative))

    def _target(self, x: float, y: float, *, is_relative: bool) -> Point:
        scaling = self._scaling()
        if is_relative:
            return self._at[0] + scaling.x_factor * x, self._at[1] + scaling.y_factor * y
        return scaling.point(x, y)

    def _go(self, point: Point) -> None:
        if self._polygon is not None and self._polygon.starting:
            self._polygon.starting = False
            self._polygon.start = point
        elif self._is_down:
            if not self._line:
                self._line.append(self._at)
            self._line.append(point)
        self._at = point

    def finish(self) -> None:
        """The stroke that is being drawn ends here."""
        line, self._line = self._line, []
        if not line:
            return
        if self._polygon is not None and self._polygon.open:
            self._polygon.edges.append(line)
        else:
            self._draw(line)

    def _draw(self, line: list[Point]) -> None:
        if self._number == 0:
            raise JobRejected("hpgl-pen-away", offset=self.offset)
        if self._page_is_over:
            raise JobRejected("hpgl-second-page", offset=self.offset)
        self.sheet.add(line, pen=self._number)

    # --- arcs -------------------------------------------------------------------------------------

    def arc_absolute(self, command: Command) -> None:
        self._arc(command, is_relative=False)

    def arc_relative(self, command: Command) -> None:
        self._arc(command, is_relative=True)

    def _arc(self, command: Command, *, is_relative: bool) -> None:
        """`AA`, `AR`: x, y of the centre, degrees counter-clockwise, chord angle (ours is finer)."""
        x, y, degrees = command.arity(3, 4)[:3]
        centre = self._target(x, y, is_relative=is_relative)
        scaling = self._scaling()
        start_x = (self._at[0] - centre[0]) / scaling.x_factor
        start_y = (self._at[1] - centre[1]) / scaling.y_factor
        radius = math.hypot(start_x, start_y)
        start = math.atan2(start_y, start_x)
        for point in self._arc_points(centre, radius, start, math.radians(degrees)):
            self._go(point)

    def circle(self, command: Command) -> None:
        """`CI`: radius, chord angle. Drawn with the pen down; the pen then is as before, at the centre."""
        radius = command.arity(1, 2)[0]
        self.finish()
        centre = self._at
        scaling = self._scaling()
        first = (centre[0] + scaling.x_factor * radius, centre[1])
        start = 0.0 if radius > 0 else math.pi
        self._draw([first, *self._arc_points(centre, abs(radius), start, math.tau)])

    def _arc_points(self, centre: Point, radius: float, start: float, turn: float) -> list[Point]:
        """The points of an arc after its first, exact at the end. `radius` in user units, angles in radians."""
        scaling = self._scaling()
        count = pieces(turn, radius * scaling.largest_factor, CHORD_ERROR_MM * UNITS_PER_MM)
        angles = [start + turn * number / count for number in range(1, count + 1)]
        return [
            (
                centre[0] + scaling.x_factor * radius * math.cos(angle),
                centre[1] + scaling.y_factor * radius * math.sin(angle),
            )
            for angle in angles
        ]

    # --- areas ------------------------------------------------------------------------------------

    def rectangle_absolute(self, command: Command) -> None:
        self._rectangle(command, is_relative=False)

    def rectangle_relative(self, command: Command) -> None:
        self._rectangle(command, is_relative=True)

    def _rectangle(self, command: Command, *, is_relative: bool) -> None:
        """`EA`, `ER`: the edges between the pen and the opposite corner, by way of the polygon buffer; the pen then is as before."""
        x, y = command.arity(2)
        self.finish()
        x0, y0 = self._at
        x1, y1 = self._target(x, y, is_relative=is_relative)
        edges = [[(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]]
        self._polygon = _Polygon(at=self._at, is_down=self._is_down, start=self._at, edges=edges, open=False)
        self.edge_polygon()

    def polygon(self, command: Command) -> None:
        """`PM`: 0 opens the polygon buffer at the pen, 1 closes a subpolygon, 2 closes the polygon."""
        (action,) = command.arity(0, 1) or (0.0,)
        if action == 0 and not self.in_polygon:
            self.finish()
            self._polygon = _Polygon(at=self._at, is_down=self._is_down, start=self._at)
        elif action in (1, 2) and self._polygon is not None and self._polygon.open:
            self._close_polygon(self._polygon, is_last=action == 2)
        else:
            raise JobRejected("hpgl-polygon-mode", offset=command.offset)

    def _close_polygon(self, polygon: _Polygon, *, is_last: bool) -> None:
        polygon.starting = False
        if self._at != polygon.start:
            self._go(polygon.start)
        self.finish()
        polygon.starting = not is_last
        if is_last:
            polygon.open = False
            self._at, self._is_down = polygon.at, polygon.is_down

    def edge_polygon(self) -> None:
        """`EP`: draw those edges of the polygon that were made with the pen down."""
        self.finish()
        if self._polygon is not None:
            for edge in self._polygon.edges:
                self._draw(edge)
