"""The router: pure, so it is tried on whatever hypothesis can think of."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from fabd.model import Message
from fabd.queue.router import Spot, WaitingJob, route

BUSY = Message(code="route-machine-busy", params={"machine": "x"})


def a_job(number: int, **changes: object) -> WaitingJob:
    values: dict[str, object] = {
        "id": number,
        "kind": "printer",
        "format": "gcode",
        "material": "pla",
        "machine_wanted": None,
        "priority": 0,
    }
    return WaitingJob(**(values | changes))  # type: ignore[arg-type]


def a_spot(name: str, **changes: object) -> Spot:
    values: dict[str, object] = {
        "machine": name,
        "kind": "printer",
        "accepts": frozenset({"gcode"}),
        "material": "pla",
        "unavailable": None,
    }
    return Spot(**(values | changes))  # type: ignore[arg-type]


def test_the_older_job_goes_first_and_the_other_is_told_why_it_waits() -> None:
    routes = route([a_job(2), a_job(1)], [a_spot("mk4")])
    assert routes.assigned == ((1, "mk4"),)
    assert routes.waiting[2].code == "route-machine-busy"


def test_priority_beats_age() -> None:
    assert route([a_job(1), a_job(2, priority=5)], [a_spot("mk4")]).assigned == ((2, "mk4"),)


def test_a_job_waits_for_the_machine_that_it_was_sent_for() -> None:
    routes = route([a_job(1, machine_wanted="mini")], [a_spot("mk4"), a_spot("mini", unavailable=BUSY)])
    assert routes.assigned == ()
    assert routes.waiting[1] == BUSY


def test_the_wrong_material_is_named_with_the_right_one() -> None:
    waiting = route([a_job(1, material="petg")], [a_spot("mk4")]).waiting[1]
    assert waiting.code == "route-material-needed"
    assert waiting.params == {"machine": "mk4", "wanted": "petg", "loaded": "pla"}


def test_a_machine_that_cannot_make_it_says_why() -> None:
    too_big = Message(code="too-big")
    assert route([a_job(1, unfit={"mk4": too_big})], [a_spot("mk4")]).waiting[1] == too_big


def test_without_machines_a_job_waits_in_words() -> None:
    assert route([a_job(1)], []).waiting[1].code == "route-no-machines"


jobs = st.lists(
    st.builds(
        a_job,
        st.integers(1, 50),
        material=st.sampled_from(["pla", "petg", None]),
        kind=st.sampled_from(["printer", "cutter"]),
        machine_wanted=st.sampled_from([None, "m0", "m1"]),
        priority=st.integers(0, 3),
    ),
    unique_by=lambda job: job.id,
    max_size=12,
)
spots = st.lists(
    st.builds(
        a_spot,
        st.sampled_from(["m0", "m1", "m2", "m3"]),
        material=st.sampled_from(["pla", "petg", None]),
        kind=st.sampled_from(["printer", "cutter"]),
        unavailable=st.sampled_from([None, BUSY]),
    ),
    unique_by=lambda spot: spot.machine,
    max_size=4,
)


@given(jobs, spots)
def test_every_job_is_accounted_for_and_no_machine_gets_two(jobs: list[WaitingJob], spots: list[Spot]) -> None:
    routes = route(jobs, spots)
    assigned_jobs = [job for job, _ in routes.assigned]
    machines = [machine for _, machine in routes.assigned]
    assert len(set(machines)) == len(machines)
    assert sorted([*assigned_jobs, *routes.waiting]) == sorted(job.id for job in jobs)


@given(jobs, spots)
def test_no_machine_stands_idle_while_a_job_could_go_to_it(jobs: list[WaitingJob], spots: list[Spot]) -> None:
    routes = route(jobs, spots)
    taken = {machine for _, machine in routes.assigned}
    for job in jobs:
        if job.id in routes.waiting:
            for spot in spots:
                if spot.machine not in taken:
                    assert route([job], [spot]).assigned == ()


@given(jobs, spots, st.integers())
def test_the_order_of_rows_does_not_matter(jobs: list[WaitingJob], spots: list[Spot], seed: int) -> None:
    shuffled = jobs[:]
    Random(seed).shuffle(shuffled)
    assert route(jobs, spots) == route(shuffled, spots)
