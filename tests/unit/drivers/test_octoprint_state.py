import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabd.drivers.octoprint_state import End, Ended, Snapshot, end_of, history_of, of_push, of_rest
from fabd.model import Temperature

JOB = {
    "job": {"file": {"path": "a.gcode", "origin": "local"}, "user": "fabd"},
    "progress": {"completion": 20.5, "filepos": 1748, "printTime": 8, "printTimeLeft": 9},
    "state": "Paused",
}
PRINTER = {
    "sd": {"ready": True},
    "state": {"text": "Paused", "flags": {"operational": True, "paused": True, "printing": False}},
    "temperature": {
        "tool0": {"actual": 40.0, "target": 41.0, "offset": 0},
        "bed": {"actual": 30, "target": None},
        "chamber": {"actual": None, "target": None},
    },
}


def test_a_paused_print_as_octoprint_1_11_tells_it() -> None:
    assert of_rest(JOB, PRINTER) == Snapshot(
        words="Paused",
        operational=True,
        at_work=True,
        paused=True,
        file="a.gcode",
        position=1748,
        print_s=8.0,
        left_s=9.0,
        temperatures=(
            Temperature(name="bed", current_c=30.0, target_c=0.0),
            Temperature(name="tool0", current_c=40.0, target_c=41.0),
        ),
    )


def test_without_a_printer_only_the_words_are_known() -> None:
    idle = {"job": {"file": {"path": None}}, "progress": {}, "state": "Offline after error", "error": "Too hot"}
    assert of_rest(idle, None) == Snapshot(words="Offline after error", error="Too hot")


def test_a_printer_without_a_card_and_a_job_without_a_file_are_understood() -> None:
    printer = {"state": {"text": "Operational", "flags": {"operational": True}}, "printer": {"ready": False}}
    found = of_rest({"job": {"file": None}, "progress": {}, "state": "Operational"}, printer)
    assert (found.operational, found.at_work, found.file, found.temperatures) == (True, False, None, ())


def test_a_printer_that_is_not_ready_is_at_work() -> None:
    printer = {"state": {"text": "Transferring", "flags": {"operational": True, "ready": False}}}
    assert of_rest({"job": {"file": None}, "progress": {}, "state": "Transferring"}, printer).at_work


def test_a_push_without_temperatures_leaves_the_last_ones() -> None:
    before = (Temperature(name="bed", current_c=1.0, target_c=2.0),)
    current = {**JOB, "state": PRINTER["state"], "temps": []}
    assert of_push(current, before).temperatures == before


def test_a_cancel_is_one_although_it_is_told_as_a_failure_too() -> None:
    payload = {"path": "a.gcode", "user": "anna", "fileposition": 2100, "time": 9.2, "reason": "cancelled"}
    told = Ended(end=End.CANCELED, file="a.gcode", by="anna", position=2100, print_s=9.2)
    assert end_of({"type": "PrintCancelled", "payload": payload}) == told
    assert end_of({"type": "PrintFailed", "payload": payload}) == told
    assert end_of({"type": "PrintStarted", "payload": payload}) is None


def test_the_books_of_a_file() -> None:
    assert history_of({"prints": {"success": 1, "last": {"success": True, "printTime": 5.5}}}, "a") == Ended(
        end=End.DONE, file="a", print_s=5.5
    )
    failed = history_of({"prints": {"failure": 1, "last": {"success": False}}}, "a")
    assert failed == Ended(end=End.FAILED, file="a")
    assert history_of({}, "a") is None


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_anything_else_is_refused_and_never_half_understood(job: object, printer: object) -> None:
    with pytest.raises((LookupError, TypeError, ValueError, AttributeError)):
        of_rest(job, printer)  # type: ignore[arg-type]
