"""Values in words, as English and French readers write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabd import words
from fabd.i18n import chosen
from fabd.model import JobState, MachineState, Meter, Phase
from fabd.views import Say


@pytest.fixture(params=["en", "fr"])
def locale(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    language: str = request.param
    monkeypatch.setattr(words, "LOCALE", language)
    return language


@pytest.mark.parametrize(
    ("cents", "english", "french"),
    [
        (342, "€3.42", "3,42\u00a0€"),
        (-342, "-€3.42", "-3,42\u00a0€"),
        (5, "€0.05", "0,05\u00a0€"),
        (0, "€0.00", "0,00\u00a0€"),
        (123456789, "€1,234,567.89", "1\u202f234\u202f567,89\u00a0€"),
        (None, "", ""),
    ],
)
def test_money(locale: str, cents: int | None, english: str, french: str) -> None:
    assert words.money(cents) == (french if locale == "fr" else english)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, ""),
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (3599.6, "1 h 00 min"),
        (7800, "2 h 10 min"),
        (-61, "-1 min 01 s"),
    ],
)
def test_a_duration(seconds: float | None, said: str) -> None:
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    ("qty", "meter", "english", "french"),
    [
        ("42700", "filament_mg", "42.7\u00a0g", "42,7\u00a0g"),
        ("-42700", "filament_mg", "-42.7\u00a0g", "-42,7\u00a0g"),
        ("110", "vinyl_mm", "0.11\u00a0m", "0,11\u00a0m"),
        ("7800", "machine_s", "2 h 10 min", "2 h 10 min"),
        ("7", "holes", "7 holes", "7 holes"),
    ],
)
def test_a_quantity(locale: str, qty: str, meter: str, english: str, french: str) -> None:
    assert words.quantity(qty, meter) == (french if locale == "fr" else english)


def test_every_meter_and_state_has_its_words() -> None:
    assert {meter for meter in Meter if meter not in words.UNITS} == {Meter.MACHINE_S, Meter.ASSISTANCE_S}
    assert (set(words.JOB_STATES), set(words.MACHINE_STATES)) == (set(JobState), set(MachineState))
    assert set(words.PHASES) == set(Phase)


@pytest.mark.parametrize(
    ("value", "english", "french"), [("1.25", "× 1.25", "× 1,25"), ("1.00", "", ""), ("1", "", "")]
)
def test_a_coefficient(locale: str, value: str, english: str, french: str) -> None:
    assert words.coefficient(value) == (french if locale == "fr" else english)


def test_what_a_newer_daemon_says_is_told_in_its_own_words() -> None:
    assert words.told(Say(code="never-heard-of", text="Something new.")) == "Something new."
    assert words.told(Say(code="job-not-found", params={}, text="There is no job 7.")) == "There is no job 7."


@given(st.text())
def test_nothing_reaches_the_terminal_that_it_would_obey(text: str) -> None:
    shown = words.harmless(text)
    assert not any((ord(sign) < 32 and sign != "\n") or 127 <= ord(sign) < 160 for sign in shown)
    assert len(shown) == len(text)


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "fr_FR.UTF-8"}, "fr"),
        ({"LANG": "fr_FR.UTF-8", "LC_MESSAGES": "en_GB.UTF-8"}, "en"),
        ({"LC_MESSAGES": "en_GB", "LC_ALL": "fr_BE@euro"}, "fr"),
        ({"LC_ALL": "C", "LANG": "fr_FR"}, "en"),
        ({"LC_ALL": "", "LANG": "fr"}, "fr"),
        ({"FABD_LANG": "fr", "LC_ALL": "en_US"}, "fr"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
    ],
)
def test_the_language_comes_from_the_environment(environment: dict[str, str], language: str) -> None:
    assert chosen(environment) == language
