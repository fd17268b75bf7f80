"""The figures that Prometheus reads, made from rows when somebody scrapes. They watch; they never bill.

Names begin with `fabd_` and carry base units. Labels are machines, kinds, tills, states: what the configuration or
the code bounds; never a job, a member or a file.
"""

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

import fabd
from fabd.clock import now
from fabd.metering import ledger
from fabd.model import JobState, MachineState, Meter
from fabd.reporting.acks import waited_for
from fabd.store import Connection
from fabd.store.schema import attempt, entry, job, outbox
from fabd.views import MachineView

COUNTED: Mapping[Meter, tuple[str, str, float]] = {
    Meter.MACHINE_S: ("fabd_machine_time_seconds", "Time that the machine worked on attempts, without pauses.", 1.0),
    Meter.FILAMENT_MM: ("fabd_filament_fed_meters", "Filament that the machine fed.", 1e-3),
    Meter.VINYL_MM: ("fabd_vinyl_fed_meters", "Length of vinyl that the machine fed.", 1e-3),
    Meter.CUT_MM: ("fabd_cut_meters", "Length that the machine's knife cut.", 1e-3),
    Meter.STITCHES: ("fabd_stitches", "Stitches that the machine sewed.", 1.0),
    Meter.COLOUR_CHANGES: ("fabd_colour_changes", "Changes of thread colour.", 1.0),
}
"""What attempts count, as Prometheus wants it: a name without `_total`, a help text, and the factor to base units."""

MachineMeter = tuple[str, Meter]


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """What rows say, in one snapshot."""

    jobs: Mapping[tuple[JobState, str], int]
    used: Mapping[MachineMeter, float]
    unsent: int
    oldest_unsent_s: float
    head: int
    tills: Mapping[str, int]


class Odometer:
    """Adds up what all attempts used, without reading those again that ended long ago."""

    def __init__(self) -> None:
        self._ended: tuple[int, Mapping[MachineMeter, float]] = (0, {})
        """All attempts up to this id have ended; what they used together. Replaced as a whole: scrapes may overlap."""

    def read(self, c: Connection) -> Mapping[MachineMeter, float]:
        """Cumulative quantities by machine."""
        until, ended = self._ended
        settled, total, all_ended = dict(ended), dict(ended), True
        columns = sa.select(attempt.c.id, attempt.c.machine, attempt.c.state, attempt.c.reading)
        for row in c.execute(columns.where(attempt.c.id > until).order_by(attempt.c.id)):
            _add(total, row.machine, row.reading)
            all_ended = all_ended and row.state == "ended"
            if all_ended:
                _add(settled, row.machine, row.reading)
                until = row.id
        self._ended = (until, settled)
        return total


def figures(c: Connection, odometer: Odometer, named_tills: Sequence[str]) -> Figures:
    """Read everything that is counted in rows."""
    newest = ledger.head(c)
    unsent, oldest = c.execute(
        sa.select(sa.func.count(), sa.func.min(entry.c.at))
        .select_from(outbox.join(entry, entry.c.seq == outbox.c.seq))
        .where(outbox.c.sent_at.is_(None))
    ).one()
    jobs = c.execute(sa.select(job.c.state, job.c.kind, sa.func.count()).group_by(job.c.state, job.c.kind))
    return Figures(
        jobs={(JobState(state), kind): count for state, kind, count in jobs},
        used=odometer.read(c),
        unsent=unsent,
        oldest_unsent_s=0.0 if oldest is None else max(0.0, (now() - oldest).total_seconds()),
        head=0 if newest is None else newest.seq,
        tills={} if newest is None else waited_for(c, named_tills, newest.book),
    )


def families(seen: Figures, machines: Iterable[MachineView], *, mqtt_connected: bool | None) -> Iterable[Metric]:
    """The figures as Prometheus reads them; `mqtt_connected` is `None` where no broker is configured."""
    yield InfoMetricFamily(
        "fabd_build", "Which fabd this is.", {"version": fabd.__version__, "python": platform.python_version()}
    )
    yield from _of_machines(list(machines), seen.used)
    jobs = GaugeMetricFamily("fabd_jobs", "Jobs in each state.", labels=("state", "kind"))
    for (state, kind), count in seen.jobs.items():
        jobs.add_metric((state, kind), count)
    yield jobs
    yield GaugeMetricFamily("fabd_outbox_entries", "Ledger entries that the broker has not taken yet.", seen.unsent)
    yield GaugeMetricFamily("fabd_outbox_oldest_age_seconds", "Age of the oldest of them.", seen.oldest_unsent_s)
    yield GaugeMetricFamily("fabd_ledger_sequence", "Number of the ledger's newest entry.", seen.head)
    lag = GaugeMetricFamily(
        "fabd_till_lag_entries", "Ledger entries that the till has not acknowledged.", labels=("till",)
    )
    for till, acknowledged in seen.tills.items():
        lag.add_metric((till,), seen.head - acknowledged)
    yield lag
    if mqtt_connected is not None:
        yield GaugeMetricFamily("fabd_mqtt_connected", "Whether the MQTT broker is connected.", mqtt_connected)


def _of_machines(machines: Sequence[MachineView], used: Mapping[MachineMeter, float]) -> Iterable[Metric]:
    states = GaugeMetricFamily(
        "fabd_machine_state", "1 for the state that the machine is in.", labels=("machine", "kind", "state")
    )
    connected = GaugeMetricFamily("fabd_machine_connected", "Whether the machine answers.", labels=("machine", "kind"))
    asked = GaugeMetricFamily(
        "fabd_machine_prompt_age_seconds",
        "How long a person has been waited for; 0 if none is.",
        labels=("machine", "kind"),
    )
    kinds = {machine.id: machine.kind for machine in machines}
    for machine in machines:
        of = (machine.id, machine.kind)
        for state in MachineState:
            states.add_metric((*of, state), machine.state is state)
        connected.add_metric(of, machine.connected)
        waited_s = 0.0 if machine.prompt is None else (now() - machine.prompt.asked_at).total_seconds()
        asked.add_metric(of, max(0.0, waited_s))
    yield from (states, connected, asked)
    for meter, (name, text, factor) in COUNTED.items():
        counter = CounterMetricFamily(name, text, labels=("machine", "kind"))
        for machine_id, kind in kinds.items():
            counter.add_metric((machine_id, kind), factor * used.get((machine_id, meter), 0.0))
        yield counter


def _add(total: dict[MachineMeter, float], machine: str, reading: Mapping[str, Mapping[str, float]] | None) -> None:
    for name, quantity in (reading or {}).get("used", {}).items():
        of = (machine, Meter(name))
        total[of] = total.get(of, 0.0) + quantity
