import json
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError

from fabd.metering import ledger, members
from fabd.metering.usage_event import UsageEvent, schema
from fabd.model import Meter, Method, Outcome
from fabd.store import Connection
from unit.metering.samples import AT, add_attempt, charge, measured

DOCUMENT = Path(__file__).parents[3] / "docs/schema/usage.v1.json"


@pytest.fixture
def events(c: Connection, book: ledger.Book) -> list[dict[str, object]]:
    """A charge of a member's, its reversal and correction, and one of a walk-in's; as a till receives them."""
    alice = members.add(c, "alice", customer="C-0042", at=AT)
    mine = {"member": alice.pseudonym, "payer": alice.pseudonym}
    row = add_attempt(c)
    ledger.post_charge(c, book, charge(row, **mine), AT)
    ledger.correct(c, book, row, charge(row, **mine, revision=2, lines=(), outcome=Outcome.ABORTED), AT)
    used = measured({Meter.STITCHES: 412, Meter.MACHINE_S: 0}, Method.OPERATOR)
    other = charge(add_attempt(c, number=2), attempt=2, measured=used, material=None)
    ledger.post_charge(c, book, other, AT)
    return [json.loads(json.dumps(ledger.event(entry))) for entry in ledger.entries(c)]


def test_what_we_send_is_what_the_schema_says_and_nothing_else(events: list[dict[str, object]]) -> None:
    validator = jsonschema.Draft202012Validator(schema())
    assert [event["data"]["kind"] for event in events] == ["charge", "reversal", "charge", "charge"]  # type: ignore[index]
    for event in events:
        validator.validate(event)
        assert UsageEvent.model_validate(event).model_dump(mode="json") == event


def test_the_schema_is_one_that_validators_read() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize(
    ("key", "value"),
    [("total_ttc_cents", 3.42), ("total_ttc_cents", "342"), ("member", "alice"), ("hash", "1"), ("kind", "gift")],
)
def test_a_wrong_event_is_told_by_model_and_schema(events: list[dict[str, object]], key: str, value: object) -> None:
    wrong = {**events[0], "data": {**events[0]["data"], key: value}}  # type: ignore[dict-item]
    with pytest.raises(ValidationError):
        UsageEvent.model_validate(wrong)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema()).validate(wrong)


def test_a_field_that_is_added_later_breaks_no_till(events: list[dict[str, object]]) -> None:
    newer = {**events[0], "colour": "red", "data": {**events[0]["data"], "quota": "1"}}  # type: ignore[dict-item]
    jsonschema.Draft202012Validator(schema()).validate(newer)


def test_the_copy_in_the_documentation_is_current() -> None:
    assert json.loads(DOCUMENT.read_text()) == schema()
