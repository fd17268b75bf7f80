"""What OctoPrint says of its printer and its job, as values.

The names are those of its REST API ("Job operations", "Printer operations", data model "Printer State") and of its push
API ("Push updates": `current`, `history`, `event`), both of OctoPrint 1.11 and, without the header
`X-OctoPrint-Api-Version`, of 2.0. What is missing counts as not so; what has another type is a `TypeError`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from fabd.model import Temperature

Json = Mapping[str, Any]

_AT_WORK = ("printing", "pausing", "paused", "resuming", "cancelling", "finishing")


class End(Enum):
    """How a print ended, by OctoPrint's event."""

    DONE = "PrintDone"
    CANCELED = "PrintCancelled"
    FAILED = "PrintFailed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """OctoPrint at one moment. `file` is the path of the selected file, whether it is printed or not.

    `position` counts bytes of the file that were read for the printer; `print_s` leaves pauses out. Both are `None`
    where nothing is printed.
    """

    words: str
    error: str = ""
    operational: bool = False
    at_work: bool = False
    paused: bool = False
    finishing: bool = False
    file: str | None = None
    position: int | None = None
    print_s: float | None = None
    left_s: float | None = None
    temperatures: tuple[Temperature, ...] = ()

    def makes(self, name: str) -> bool:
        """Whether it is at work on the file called so."""
        return self.at_work and self.file == name


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """The end of one print. `by` is the user who ended it; `reason` is the printer's trouble, in its words."""

    end: End
    file: str
    by: str | None = None
    reason: str | None = None
    position: int | None = None
    print_s: float | None = None


def of_rest(job: Json, printer: Json | None) -> Snapshot:
    """From `GET /api/job` and `GET /api/printer`; the latter is `None` where OctoPrint has no printer to tell of."""
    state: Json = {"text": job["state"], "error": job.get("error"), "flags": {}}
    temperatures: tuple[Temperature, ...] = ()
    if printer is not None:
        state = {**state, "flags": printer["state"]["flags"]}
        temperatures = _temperatures(printer.get("temperature", {}))
    return _snapshot(state, job["job"], job["progress"], temperatures)


def of_push(current: Json, before: Sequence[Temperature]) -> Snapshot:
    """From a `current` or `history` message; one without temperatures leaves those that were known `before`."""
    temps = current.get("temps") or []
    temperatures = _temperatures(temps[-1]) if temps else tuple(before)
    return _snapshot(current["state"], current["job"], current["progress"], temperatures)


def end_of(event: Json) -> Ended | None:
    """The end of a print, if `event` is one.

    A cancel is told twice: by `PrintCancelled`, then by `PrintFailed` with the reason `cancelled`.
    """
    if event["type"] not in [end.value for end in End]:
        return None
    payload = event["payload"]
    end = End(event["type"])
    if end is End.FAILED and payload.get("reason") == "cancelled":
        end = End.CANCELED
    return Ended(
        end=end,
        file=str(payload["path"]),
        by=payload.get("user"),
        reason=payload.get("error") or None,
        position=_whole(payload.get("fileposition")),
        print_s=_number(payload.get("time")),
    )


def history_of(file: Json, name: str) -> Ended | None:
    """How the last print of a file ended, from `GET /api/files/local/{name}`; `None` where it never ended."""
    prints = file.get("prints")
    if not prints or not prints.get("last"):
        return None
    last = prints["last"]
    return Ended(
        end=End.DONE if last["success"] is True else End.FAILED, file=name, print_s=_number(last.get("printTime"))
    )


def _snapshot(state: Json, job: Json, progress: Json, temperatures: tuple[Temperature, ...]) -> Snapshot:
    flags = state["flags"]
    operational = flags.get("operational") is True
    path = (job.get("file") or {}).get("path")
    return Snapshot(
        words=str(state["text"]),
        error=str(state.get("error") or ""),
        operational=operational,
        # Operational and not ready: it sends a file to the printer's card, or does what a later version has a name for.
        at_work=any(flags.get(flag) is True for flag in _AT_WORK) or (operational and flags.get("ready") is False),
        paused=flags.get("paused") is True,
        finishing=flags.get("finishing") is True,
        file=None if path is None else str(path),
        position=_whole(progress.get("filepos")),
        print_s=_number(progress.get("printTime")),
        left_s=_number(progress.get("printTimeLeft")),
        temperatures=temperatures,
    )


def _temperatures(of: Json) -> tuple[Temperature, ...]:
    """Those heaters that measure something; others, as a chamber that is not there, are told with `null`."""
    return tuple(
        Temperature(name=name, current_c=float(heater["actual"]), target_c=float(heater.get("target") or 0.0))
        for name, heater in sorted(of.items())
        if isinstance(heater, Mapping) and heater.get("actual") is not None
    )


def _number(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"a number was expected, and {value!r} found")
    return float(value)


def _whole(value: object) -> int | None:
    number = _number(value)
    return None if number is None else int(number)
