"""A heater of a simulated printer: a straight line towards its target."""

AMBIENT_C = 20.0


class Heater:
    """Warms up and cools down at constant rates. Times are seconds of the caller's clock."""

    def __init__(self, warms_c_s: float, cools_c_s: float) -> None:
        self.target_c = 0.0
        self.ever_c = 0.0
        """The highest target that it was ever given."""
        self._warms_c_s, self._cools_c_s = warms_c_s, cools_c_s
        self._known_c, self._known_s = AMBIENT_C, 0.0

    def aim(self, target_c: float, now_s: float) -> None:
        """Set a new target; 0 is off."""
        self._known_c, self._known_s = self.current_c(now_s), now_s
        self.target_c = target_c
        self.ever_c = max(self.ever_c, target_c)

    def current_c(self, now_s: float) -> float:
        """The temperature at `now_s`, which is not before the last `aim`."""
        end_c, passed_s = max(self.target_c, AMBIENT_C), now_s - self._known_s
        if end_c > self._known_c:
            return min(end_c, self._known_c + passed_s * self._warms_c_s)
        return max(end_c, self._known_c - passed_s * self._cools_c_s)

    def reaches_s(self, *, cooling_too: bool) -> float:
        """When it is as warm as its target; with `cooling_too` also when it is as cool. A time in the past: already."""
        missing_c = self.target_c - self._known_c
        if missing_c > 0:
            return self._known_s + missing_c / self._warms_c_s
        if cooling_too and self.target_c > AMBIENT_C:
            return self._known_s - missing_c / self._cools_c_s
        return self._known_s
