"""How long moves take, from speeds, accelerations and corners: an estimate in one pass, without looking ahead.

Each move is a trapezoid: it enters a corner at the speed that the corner allows and that could be reached since
the last stop, runs at the wanted speed and brakes for the next corner. What is left out is braking over several
short moves, the machine's own pauses, homing and heating.
"""

from math import inf, sqrt

_NOWHERE = (0.0, 0.0, 0.0)  # the direction of a move of E alone


class MotionTime:
    """Adds up the time of moves, in seconds, for a machine of known limits.

    The limits are those of a usual printer until the program sets its own (`M201`, `M203`, `M204`, `M205`). The
    defaults are PrusaSlicer's for a machine that it does not know (`PrintConfig.cpp`, `machine_max_*`).
    """

    __slots__ = (
        "_accel_mm_s2",
        "_direction",
        "_entry_sq",
        "_length_mm",
        "_speed_mm_s",
        "axis_accels_mm_s2",
        "axis_speeds_mm_s",
        "corner_mm2_s2",
        "print_accel_mm_s2",
        "retract_accel_mm_s2",
        "total_s",
        "travel_accel_mm_s2",
    )

    def __init__(self) -> None:
        self.axis_speeds_mm_s = [500.0, 500.0, 12.0, 120.0]  # X, Y, Z, E
        self.axis_accels_mm_s2 = [9000.0, 9000.0, 500.0, 10000.0]
        self.print_accel_mm_s2 = 1500.0
        self.retract_accel_mm_s2 = 1500.0
        self.travel_accel_mm_s2 = 1500.0
        self.corner_mm2_s2 = 0.0
        self.set_jerk(10.0)
        self.total_s = 0.0
        """The time of all moves but the last one, whose end depends on the corner that follows; see `stop()`."""
        self._length_mm = 0.0  # of the move whose end is still open; 0 when the machine stands
        self._entry_sq = 0.0
        self._speed_mm_s = 0.0
        self._accel_mm_s2 = 1.0
        self._direction = _NOWHERE

    def set_jerk(self, jerk_mm_s: float) -> None:
        """Corners for a jerk, as Marlin's own advice turns it into a junction deviation: 0.4 x jerk² / acceleration."""
        self.corner_mm2_s2 = 0.4 * jerk_mm_s * jerk_mm_s

    def set_junction_deviation(self, deviation_mm: float) -> None:
        """Corners for a junction deviation (`M205 J`; `Planner::_populate_block` in Marlin's `planner.cpp`)."""
        self.corner_mm2_s2 = deviation_mm * self.print_accel_mm_s2

    def move(self, dx_mm: float, dy_mm: float, dz_mm: float, de_mm: float, speed_mm_s: float) -> None:
        """One straight move by the given distances; `speed_mm_s` is along X, Y, Z, or along E where only E moves."""
        length = sqrt(dx_mm * dx_mm + dy_mm * dy_mm + dz_mm * dz_mm)
        if length > 1e-6:
            direction = (dx_mm / length, dy_mm / length, dz_mm / length)
            accel = self.print_accel_mm_s2 if de_mm else self.travel_accel_mm_s2
        elif de_mm:
            length = abs(de_mm)
            direction = _NOWHERE
            accel = self.retract_accel_mm_s2
        else:
            return
        speed, accel = self._limited(direction, de_mm / length, speed_mm_s, accel)
        leaving_sq = self._corner_sq(direction, speed) if self._length_mm else 0.0
        if self._length_mm:
            self._close(leaving_sq)
        self._length_mm = length
        self._entry_sq = leaving_sq
        self._speed_mm_s = speed
        self._accel_mm_s2 = accel
        self._direction = direction

    def stop(self) -> None:
        """The machine comes to a stand: the last move ends here."""
        if self._length_mm:
            self._close(0.0)
            self._length_mm = 0.0

    def wait(self, seconds: float) -> None:
        """The machine stands for so long."""
        self.stop()
        self.total_s += seconds

    def _limited(
        self, direction: tuple[float, float, float], e_share: float, speed: float, accel: float
    ) -> tuple[float, float]:
        """Speed and acceleration along the move that no axis exceeds."""
        shares = (*direction, e_share)
        for share, axis_speed, axis_accel in zip(shares, self.axis_speeds_mm_s, self.axis_accels_mm_s2, strict=True):
            if share:
                part = abs(share)
                if speed * part > axis_speed:
                    speed = axis_speed / part
                if accel * part > axis_accel:
                    accel = axis_accel / part
        return speed, accel

    def _corner_sq(self, direction: tuple[float, float, float], speed: float) -> float:
        """The square of the speed at which the corner into the next move is taken."""
        x0, y0, z0 = self._direction
        x1, y1, z1 = direction
        cosine = x0 * x1 + y0 * y1 + z0 * z1
        if cosine <= -1.0 or _NOWHERE in (direction, self._direction):
            return 0.0  # straight back, or into or out of a retraction
        half_sine = sqrt(0.5 * (1.0 + cosine))
        corner_sq = self.corner_mm2_s2 * half_sine / (1.0 - half_sine) if half_sine < 1.0 else inf
        reachable_sq = self._entry_sq + 2.0 * self._accel_mm_s2 * self._length_mm
        return min(corner_sq, reachable_sq, speed * speed, self._speed_mm_s * self._speed_mm_s)

    def _close(self, exit_sq: float) -> None:
        """Add the time of the open move, which ends at the speed whose square is given."""
        length, accel, speed, entry_sq = self._length_mm, self._accel_mm_s2, self._speed_mm_s, self._entry_sq
        entry, leave = sqrt(entry_sq), sqrt(exit_sq)
        if entry_sq > exit_sq + 2.0 * accel * length:  # braking would have had to begin before this move
            self.total_s += 2.0 * length / (entry + leave)
            return
        peak = sqrt(min(speed * speed, (2.0 * accel * length + entry_sq + exit_sq) / 2.0))
        changing_mm = (2.0 * peak * peak - entry_sq - exit_sq) / (2.0 * accel)
        self.total_s += (2.0 * peak - entry - leave) / accel + max(0.0, length - changing_mm) / peak
