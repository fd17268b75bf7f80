"""Our own print in OctoPrint, as readings: where it is, what it has used, how it stands."""

import structlog

from fabd.drivers.contract import Attempt
from fabd.drivers.octoprint_state import End, Ended, Snapshot
from fabd.errors import MachineFault
from fabd.model import Meter, Method, Phase, Reading, Temperature

PAUSED_THERE = "octoprint-paused-there"
AGAIN_S = 5.0
"""Print time that falls by more than this is that of a print begun anew: OctoPrint rounds it to seconds."""

log = structlog.get_logger(__name__)


class Print:
    """One attempt's print. What was known of it before a restart counts on: no quantity ever falls."""

    def __init__(self, attempt: Attempt, name: str) -> None:
        last = attempt.last
        self.name = name
        self.held = False
        """Whether it was us who had it paused."""
        self._program = attempt.program
        self._position = 0 if last is None else last.position
        self._print_s = 0.0 if last is None else last.used.get(Meter.MACHINE_S, 0.0)
        self._phase = Phase.IDLE if last is None else last.phase
        self._left_s: float | None = None
        self._reasons = frozenset[str]()
        self._temperatures: tuple[Temperature, ...] = ()

    @property
    def reading(self) -> Reading:
        used = self._program.curve.at(self._position)
        return Reading(
            phase=self._phase,
            position=self._position,
            used={**used, Meter.MACHINE_S: self._print_s},
            method=Method.CURVE,
            temperatures=self._temperatures,
            reasons=self._reasons,
            remaining_s=self._left_s,
        )

    def take(self, snapshot: Snapshot, *, paused_by: str | None) -> None:
        """What OctoPrint says of it while it is at work. Raises `MachineFault` when somebody began it anew."""
        if snapshot.print_s is not None and snapshot.print_s < self._print_s - AGAIN_S:
            raise MachineFault("octoprint-begun-anew", file=self.name)
        self._measure(snapshot.position, snapshot.print_s)
        self._left_s, self._temperatures = snapshot.left_s, snapshot.temperatures
        if not snapshot.paused:
            self._phase, self._reasons = self._phase_at_work(snapshot), frozenset()
        elif self.held:
            self._phase, self._reasons = Phase.PAUSED, frozenset({"paused"})
        else:
            if PAUSED_THERE not in self._reasons:
                log.warning("somebody paused a print of ours in OctoPrint", file=self.name, by=paused_by)
            self._phase, self._reasons = Phase.PAUSED, frozenset({"paused", PAUSED_THERE})

    def finish(self, ended: Ended) -> None:
        """What is known of it now that it is over."""
        length = self._program.length
        self._measure(length if ended.end is End.DONE else ended.position, ended.print_s)
        self._phase = Phase.FINISHING if ended.end is End.DONE else Phase.IDLE
        self._left_s, self._reasons = 0.0, frozenset()

    def rest(self, temperatures: tuple[Temperature, ...]) -> Reading:
        """The reading of a machine that has nothing to do any more."""
        self._phase, self._temperatures, self._left_s, self._reasons = Phase.IDLE, temperatures, None, frozenset()
        return self.reading

    def _measure(self, position: int | None, print_s: float | None) -> None:
        # What was pushed may be half a second older than what was asked for before it.
        self._position = max(self._position, position or 0)
        self._print_s = max(self._print_s, print_s or 0.0)

    def _phase_at_work(self, snapshot: Snapshot) -> Phase:
        if snapshot.finishing or self._position == self._program.length:
            return Phase.FINISHING
        extrudes = self._program.curve.at(self._position).get(Meter.FILAMENT_MM, 0.0) > 0
        return Phase.RUNNING if extrudes else Phase.PREPARING
