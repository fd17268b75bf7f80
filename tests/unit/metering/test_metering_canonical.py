import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabd.metering.canonical import LARGEST_INT, canonical, sha256_hex

whole = st.integers(-LARGEST_INT, LARGEST_INT)
keys = st.text(st.characters(max_codepoint=126), max_size=5)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | whole | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


def test_keys_are_sorted_and_nothing_is_padded() -> None:
    assert canonical({"b": [1, True, None], "a": "é\n"}) == '{"a":"é\\n","b":[1,true,null]}'.encode()


def test_text_is_spelled_as_rfc_8785_spells_it() -> None:
    # RFC 8785, section 3.2.2.2: short escapes where there are some, \u00xx in lower case, all else as it is.
    assert canonical('\u20ac$\u000f\nA\'B"\\\\"/') == b'"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'


def test_a_hash_is_that_of_the_bytes() -> None:
    assert sha256_hex(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@given(values)
def test_what_is_written_reads_back_the_same(value: object) -> None:
    assert json.loads(canonical(value)) == value


@given(st.dictionaries(keys, values, min_size=2, max_size=5))
def test_the_order_of_keys_makes_no_difference(value: dict[str, object]) -> None:
    assert canonical(value) == canonical(dict(reversed(value.items())))


@given(values, st.floats())
def test_a_float_is_refused_wherever_it_hides(value: object, number: float) -> None:
    for hidden in (number, [value, number], {"data": {"deep": [number]}}):
        with pytest.raises(TypeError, match="float"):
            canonical(hidden)


@pytest.mark.parametrize("value", [b"bytes", {1: "key"}, {"clé": 1}, {1, 2}, object()])
def test_what_json_cannot_say_exactly_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        canonical(value)


def test_a_number_that_doubles_would_garble_is_refused() -> None:
    assert canonical(LARGEST_INT) == b"9007199254740991"
    with pytest.raises(ValueError, match="digits"):
        canonical({"seq": LARGEST_INT + 1})
    with pytest.raises(ValueError, match="digits"):
        canonical(-LARGEST_INT - 1)


def test_the_place_of_a_float_is_named() -> None:
    with pytest.raises(TypeError, match=r"data\.lines\[1\]\.qty"):
        canonical({"lines": [{"qty": "1"}, {"qty": math.pi}]})
