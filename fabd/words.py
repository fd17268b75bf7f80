"""Says values in words: money, quantities, durations, instants, states."""

import re
from collections.abc import Iterable
from datetime import datetime

from fabd.i18n import LOCALE, _
from fabd.messages import N_, Message, catalogue, say
from fabd.model import JobState, MachineState, Meter, Phase
from fabd.views import Say

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What would move the cursor, ring the bell or turn the text around: a file's name may hold anything."""
NO_BREAK = "\u00a0"

JOB_STATES = {
    JobState.PENDING: N_("waiting"),
    JobState.HELD: N_("held"),
    JobState.PROCESSING: N_("being made"),
    JobState.STOPPED: N_("interrupted"),
    JobState.COMPLETED: N_("completed"),
    JobState.CANCELED: N_("canceled"),
    JobState.ABORTED: N_("aborted"),
}
MACHINE_STATES = {
    MachineState.IDLE: N_("free"),
    MachineState.PROCESSING: N_("at work"),
    MachineState.STOPPED: N_("stopped"),
}
PHASES = {
    Phase.IDLE: N_("idle"),
    Phase.PREPARING: N_("preparing"),
    Phase.RUNNING: N_("running"),
    Phase.PAUSED: N_("paused"),
    Phase.WAITING: N_("waiting for somebody"),
    Phase.FINISHING: N_("finishing"),
}

UNITS = {
    Meter.FILAMENT_MG: (1000, 1, "g"),
    Meter.FILAMENT_MM: (1000, 2, "m"),
    Meter.VINYL_MM: (1000, 2, "m"),
    Meter.CUT_MM: (1000, 2, "m"),
    Meter.TRAVEL_MM: (1000, 2, "m"),
    Meter.STITCHES: (1, 0, N_("stitches")),
    Meter.COLOUR_CHANGES: (1, 0, N_("colour changes")),
    Meter.ENERGY_WH: (1, 0, "Wh"),
    Meter.FLAT: (1, 0, "×"),
}
"""How a meter is shown: divided by what, with how many decimals, in which unit."""


def harmless(text: str) -> str:
    """`text` without what a terminal would obey."""
    return _CONTROL.sub("\ufffd", text)


def told(what: Say) -> str:
    """The sentence in the reader's language; the daemon's own English where this version does not know the code."""
    if what.code not in catalogue():
        return what.text or say(what.message)
    params = {name: decimal(value) if isinstance(value, float) else value for name, value in what.params.items()}
    try:
        return say(Message(code=what.code, params=params), LOCALE)
    except KeyError:  # a daemon of another version gives other parameters
        return what.text


def told_all(many: Iterable[Say]) -> str:
    """Several, one after another."""
    return " ".join(told(one) for one in many)


def job_state(state: JobState) -> str:
    return _(JOB_STATES[state])


def machine_state(state: MachineState) -> str:
    return _(MACHINE_STATES[state])


def phase(value: Phase) -> str:
    return _(PHASES[value])


def number(value: float, decimals: int = 0) -> str:
    """`1 234,5` in French, `1,234.5` in English."""
    text = f"{value:,.{decimals}f}"
    return text.translate({ord(","): "\u202f", ord("."): ","}) if LOCALE == "fr" else text


def decimal(value: float | str) -> str:
    """A number as it is, with the reader's decimal sign."""
    return str(value).replace(".", ",") if LOCALE == "fr" else str(value)


def coefficient(value: str) -> str:
    """`× 1.25`; empty where it changes nothing."""
    return "" if float(value) == 1 else f"× {decimal(value)}"


def money(cents: int | None, currency: str = "EUR") -> str:
    """`3,42 €` in French, `€3.42` in English; empty where there is no price."""
    if cents is None:
        return ""
    sign = "-" if cents < 0 else ""
    amount = number(abs(cents) / 100, 2)
    symbol = "€" if currency == "EUR" else currency
    return f"{sign}{amount}{NO_BREAK}{symbol}" if LOCALE == "fr" else f"{sign}{symbol}{amount}"


def duration(seconds: float | None) -> str:
    """`2 h 05 min`, `4 min 10 s`, `12 s`."""
    if seconds is None:
        return ""
    if seconds < 0:
        return f"-{duration(-seconds)}"
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {left:02} s" if minutes else f"{left} s"


def quantity(qty: str, meter: str) -> str:
    """A ledger's whole number of a meter's unit, in a unit that people use: `42.7 g`."""
    if meter in (Meter.MACHINE_S, Meter.ASSISTANCE_S):
        return duration(int(qty))
    if meter not in UNITS:
        return f"{qty} {meter}"
    divisor, decimals, unit = UNITS[Meter(meter)]
    return f"{number(int(qty) / divisor, decimals)}{NO_BREAK}{_(unit)}"


def share(part: float | None) -> str:
    """`42 %`"""
    return "" if part is None else f"{part:.0%}".replace("%", f"{NO_BREAK}%")


def instant(at: datetime | None) -> str:
    """In the clock of whoever reads, to the minute."""
    return "" if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M")
