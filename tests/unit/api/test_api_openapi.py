"""The interface's description is kept in `docs/`, and is current."""

import json
from pathlib import Path

from fabd.api.app import describe

KEPT = Path(__file__).parents[3] / "docs" / "openapi.json"


def test_the_description_is_current() -> None:
    """If not: `fabd schema openapi > docs/openapi.json`, and look at what changed."""
    assert json.loads(KEPT.read_text()) == describe()


def test_every_failure_is_described_as_a_problem() -> None:
    operations = [operation for path in describe()["paths"].values() for operation in path.values()]
    for operation in operations:
        assert {status for status in operation["responses"] if status[0] in "45"} == {"4XX", "5XX"}
        for status in ("4XX", "5XX"):
            shape = operation["responses"][status]["content"]["application/json"]["schema"]
            assert shape == {"$ref": "#/components/schemas/Problem"}


def test_a_file_is_described_as_bytes() -> None:
    for path in ("/v1/quote", "/v1/jobs"):
        body = describe()["paths"][path]["post"]["requestBody"]
        assert list(body["content"]) == ["application/octet-stream"]
