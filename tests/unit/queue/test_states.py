"""The table of a job's life, and the one function that makes its moves."""

from fabd.model import JobState
from fabd.queue.states import ENDED, MOVES, OPEN


def test_every_state_has_its_row() -> None:
    assert set(MOVES) == set(JobState)


def test_nothing_moves_to_where_it_is() -> None:
    assert all(state not in targets for state, targets in MOVES.items())


def test_every_state_can_be_reached_from_a_new_job_and_an_ended_job_only_begins_again_through_pending() -> None:
    reached, fresh = {JobState.PENDING}, {JobState.PENDING}
    while fresh:
        fresh = {to for state in fresh for to in MOVES[state]} - reached
        reached |= fresh
    assert reached == set(JobState)
    for state in ENDED - {JobState.COMPLETED}:
        assert MOVES[state] & OPEN == {JobState.PENDING}


def test_what_is_completed_never_begins_again() -> None:
    assert MOVES[JobState.COMPLETED] == {JobState.ABORTED}


def test_a_job_never_begins_to_run_but_from_pending_or_from_a_pause() -> None:
    assert {state for state in JobState if JobState.PROCESSING in MOVES[state]} == {JobState.PENDING, JobState.STOPPED}
