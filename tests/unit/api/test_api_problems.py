"""Whatever goes wrong is a `Problem` with a status that does not change."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from fabd import errors
from fabd.api import problems
from fabd.api.problems import TooLarge, status_of
from fabd.errors import ConfigError, FabdError
from fabd.model import Message
from fabd.views import Problem

STATUS = {
    errors.ConfigError: 400,
    errors.NotAllowed: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.MachineFault: 502,
    errors.JobLost: 502,
    errors.LinkLost: 502,
    TooLarge: 413,
    errors.JobRejected: 422,
    errors.Refused: 422,
    errors.StoreError: 503,
    errors.FabdError: 500,
}


def all_below(kind: type[FabdError]) -> set[type[FabdError]]:
    return {kind}.union(*(all_below(below) for below in kind.__subclasses__()))


def app_that_raises(error: Exception) -> FastAPI:
    app = FastAPI()
    problems.handle(app)

    @app.get("/")
    async def fail() -> None:
        raise error

    @app.get("/number")
    async def number(wanted: int, also: int) -> int:
        return wanted + also

    return app


def get(app: FastAPI, path: str = "/") -> httpx.Response:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://fabd") as client:
            return await client.get(path)

    return asyncio.run(ask())


def test_each_error_has_its_status() -> None:
    # Rooms have errors of their own, which they handle: whether they are loaded here must make no difference.
    ours = {kind for kind in all_below(FabdError) if kind.__module__ == errors.__name__} | set(STATUS)
    assert {kind: STATUS[kind] for kind in ours} == {kind: status_of(_made(kind)) for kind in ours}


def _made(kind: type[FabdError]) -> FabdError:
    return kind(Message(code="api-upload-empty")) if kind is ConfigError else kind("api-upload-empty")


def test_an_error_travels_as_its_code_with_an_english_sentence() -> None:
    answer = get(app_that_raises(errors.NotAllowed("api-account-reads-only", account="guest")))
    said = Problem.model_validate_json(answer.content).problem
    assert (answer.status_code, said.code, said.params) == (403, "api-account-reads-only", {"account": "guest"})
    assert said.text.startswith("The account guest may look, but not act.")


def test_every_mistake_in_a_configuration_is_told() -> None:
    mistakes = [Message(code="api-upload-empty"), Message(code="api-account-reads-only", params={"account": "a"})]
    problem = Problem.model_validate_json(get(app_that_raises(ConfigError(*mistakes))).content)
    assert [detail.code for detail in problem.details] == [mistake.code for mistake in mistakes]


def test_what_nobody_expected_is_logged_under_the_id_that_the_caller_is_told() -> None:
    with capture_logs() as logs:
        answer = get(app_that_raises(RuntimeError("the secret of the house")))
    said = Problem.model_validate_json(answer.content).problem
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert [entry["incident"] for entry in logs if entry["event"] == "request-failed"] == [said.params["incident"]]


def test_a_malformed_request_is_told_field_by_field() -> None:
    answer = get(app_that_raises(RuntimeError()), "/number?wanted=x")
    problem = Problem.model_validate_json(answer.content)
    assert answer.status_code == 400
    assert [detail.params["where"] for detail in problem.details] == ["query > wanted", "query > also"]


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/%00", 404)])
def test_a_route_that_does_not_exist_is_a_problem_too(path: str, status: int) -> None:
    answer = get(app_that_raises(RuntimeError()), path)
    assert answer.status_code == status
    assert Problem.model_validate_json(answer.content).problem.code == "api-no-such-route"
