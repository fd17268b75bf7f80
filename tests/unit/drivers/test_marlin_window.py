import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabd.drivers.marlin_window import HISTORY, MOST_RESENDS, LineWindow
from fabd.errors import MachineFault


def number_of(line: bytes) -> int:
    return int(line[1 : line.index(b" ")])


def test_one_line_is_under_way() -> None:
    window = LineWindow()
    window.add(b"G28")
    window.add(b"G1 X1")
    assert window.next_frame() == b"N1 G28*18\n"
    assert window.next_frame() is None
    assert window.awaited == b"N1 G28*18\n"
    window.take_ok()
    assert window.next_frame() == b"N2 G1 X1*99\n"
    window.take_ok()
    window.take_ok()  # one too many: nobody is there to take it
    assert (window.acknowledged, window.sent, window.wanted) == (2, 2, 2)
    assert window.awaited is None


def test_a_resend_gives_the_same_bytes_under_the_same_number() -> None:
    window = LineWindow()
    window.add(b"G1 X1 E0.5")
    first = window.next_frame()
    window.rewind(1)
    assert window.next_frame() == first


def test_a_line_that_was_taken_for_taken_is_sent_again() -> None:
    window = LineWindow()
    window.add(b"G1 X1")
    first = window.next_frame()
    window.take_ok()  # a stray one
    window.add(b"G1 X2")
    second = window.next_frame()
    window.rewind(1)
    assert window.next_frame() == first
    assert window.next_frame() is None
    window.take_ok()
    assert window.next_frame() == second


def test_asking_for_the_next_line_acknowledges_all_before() -> None:
    window = LineWindow()
    window.add(b"G1 X1")
    window.next_frame()
    window.rewind(2)
    assert window.acknowledged == 1


@pytest.mark.parametrize("asked", [0, 3, 134497])
def test_a_line_that_was_never_sent_is_a_fault(asked: int) -> None:
    window = LineWindow()
    window.add(b"G1 X1")
    window.next_frame()
    with pytest.raises(MachineFault) as fault:
        window.rewind(asked)
    assert fault.value.message.code == "marlin-resend-unknown"


def test_a_line_that_is_forgotten_is_a_fault_and_never_another_line() -> None:
    window = LineWindow()
    for _ in range(HISTORY + 5):
        window.add(b"G1 X1")
        window.next_frame()
        window.take_ok()
    with pytest.raises(MachineFault):
        window.rewind(3)
    window.rewind(7)
    assert window.next_frame() == b"N7 G1 X1*102\n"


def test_the_same_line_over_and_over_is_a_fault() -> None:
    window = LineWindow()
    window.add(b"G1 X1")
    window.next_frame()
    for _ in range(MOST_RESENDS):
        window.rewind(1)
        window.next_frame()
    with pytest.raises(MachineFault) as fault:
        window.rewind(1)
    assert fault.value.message.code == "marlin-resend-loop"


def test_what_was_sent_is_known_again_but_not_the_tail_of_it() -> None:
    window = LineWindow()
    window.add(b"M9999 S1")
    assert window.was_sent(b"M9999 S1")
    assert window.was_sent(b"M9999")
    assert window.was_sent(b"N1 M9999 S1")
    assert not window.was_sent(b"S1")
    assert not window.was_sent(b"M99 S1")


@given(st.lists(st.sampled_from(["taken", "damaged", "taken, ok lost by the next", "stray ok"]), max_size=60))
def test_whatever_happens_the_machine_takes_every_line(luck: list[str]) -> None:
    """Against a machine that takes nothing but the next number: it gets them all, or the window gives up in words."""
    window, taken = LineWindow(), 0
    for what in [*luck, *["taken"] * 140]:
        if window.acknowledged == window.wanted and window.wanted < 40:
            window.add(b"G1 X%d" % window.wanted)
        if what == "stray ok":
            window.take_ok()
            continue
        line = window.next_frame()
        if line is None:
            continue
        if number_of(line) != taken + 1 or what == "damaged":
            try:
                window.rewind(taken + 1)
            except MachineFault:
                return
            continue
        taken += 1
        window.take_ok() if what == "taken" else window.rewind(taken + 1)
    assert taken == window.wanted == 40
