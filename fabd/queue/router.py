"""Which job goes to which machine: a pure function of what waits and what stands there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from fabd.model import Message


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitingJob:
    """A pending job; a smaller `id` was sent earlier, whatever a clock said then.

    `unfit` says why a machine cannot make it, for each that was asked and cannot.
    """

    id: int
    kind: str
    format: str
    material: str | None
    machine_wanted: str | None
    priority: int
    unfit: Mapping[str, Message] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Spot:
    """A machine as the router sees it. `unavailable` says why it takes nothing now, if so."""

    machine: str
    kind: str
    accepts: frozenset[str]
    material: str | None
    unavailable: Message | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Routes:
    """Where jobs go, and why the others wait."""

    assigned: tuple[tuple[int, str], ...]
    waiting: Mapping[int, Message]


def route(jobs: Sequence[WaitingJob], spots: Sequence[Spot]) -> Routes:
    """Give each free machine at most one job: by priority, then by age; a job that cannot go says why."""
    free = {spot.machine: spot for spot in spots}
    assigned: list[tuple[int, str]] = []
    waiting: dict[int, Message] = {}
    for job in sorted(jobs, key=lambda j: (-j.priority, j.id)):
        reasons: list[Message] = []
        for spot in free.values():
            why = why_not(job, spot)
            if why is None:
                assigned.append((job.id, spot.machine))
                free[spot.machine] = _taken(spot)
                break
            reasons.append(why)
        else:
            waiting[job.id] = _nearest(reasons)
    return Routes(assigned=tuple(assigned), waiting=waiting)


def why_not(job: WaitingJob, spot: Spot) -> Message | None:
    """Why `job` cannot go to `spot` now; `None` when it can."""
    if job.machine_wanted is not None and job.machine_wanted != spot.machine:
        return Message(code="route-other-machine", params={"machine": job.machine_wanted})
    if spot.kind != job.kind or job.format not in spot.accepts:
        return Message(code="route-no-machine", params={"kind": job.kind, "format": job.format})
    if spot.machine in job.unfit:
        return job.unfit[spot.machine]
    if job.material is not None and job.material != spot.material:
        return Message(
            code="route-material-needed",
            params={"machine": spot.machine, "wanted": job.material, "loaded": spot.material or "-"},
        )
    return spot.unavailable


def _taken(spot: Spot) -> Spot:
    return replace(spot, unavailable=Message(code="route-machine-busy", params={"machine": spot.machine}))


_FAR = ("route-other-machine", "route-no-machine")
"""What is said of machines that never could make the job."""


def _nearest(reasons: Sequence[Message]) -> Message:
    """The reason that is nearest to being overcome: that of a machine which could make the job."""
    near = [reason for reason in reasons if reason.code not in _FAR]
    if near:
        return min(near, key=lambda reason: reason.code != "route-machine-busy")
    if reasons:
        return min(reasons, key=lambda reason: reason.code == "route-no-machine")
    return Message(code="route-no-machines")
