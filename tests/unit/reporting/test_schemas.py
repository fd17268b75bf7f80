"""The messages on MQTT, and what the schemas say of them."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fabd.reporting.schemas import SHAPES, Ack, Machine, Replay, encode, schema, why_unreadable
from fabd.views import MachineView

WILD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
LIKE_AN_ACK = st.fixed_dictionaries(
    {"ledger": st.text(max_size=70) | WILD, "seq": st.integers() | WILD},
    optional={"rejected": st.lists(st.fixed_dictionaries({"id": WILD, "reason": WILD})) | WILD, "more": WILD},
)


@pytest.mark.parametrize("name", SHAPES)
def test_each_schema_is_one(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(name))
    assert schema(name)["additionalProperties"] is False


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(KeyError):
        schema("bill")


@given(LIKE_AN_ACK | WILD)
def test_an_acknowledgement_is_taken_exactly_when_its_schema_says_so(wild: Any) -> None:
    text, why = json.dumps(wild), None
    try:
        Ack.model_validate_json(text)
    except ValidationError as error:
        why = why_unreadable(error)
    taken = why is None
    # A whole number is not `2.0` to us, which JSON Schema cannot tell from 2.
    if isinstance(wild, dict) and isinstance(wild.get("seq"), float):
        assert not taken
    else:
        assert why != ""
        assert taken == jsonschema.Draft202012Validator(schema("ack")).is_valid(wild)


@given(st.binary(max_size=200))
def test_no_bytes_are_an_accident(payload: bytes) -> None:
    with pytest.raises(ValidationError):
        Replay.model_validate_json(payload)


def test_a_replay_names_its_ends_as_the_contract_does() -> None:
    replay = Replay.model_validate_json('{"ledger": "l", "from": 1, "to": 2}')
    assert encode(replay) == b'{"ledger":"l","from":1,"to":2}'


def test_a_machine_tells_nothing_of_who_uses_it_but_all_else() -> None:
    untold = MachineView.model_fields.keys() - Machine.model_fields.keys()
    assert untold == {"member"}
