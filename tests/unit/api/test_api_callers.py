"""The account comes from the socket, the person from a header that lends no rights."""

import os
import pwd
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from fabd.api.callers import account_of, rights_of
from fabd.client import Client, ClientError, Trouble
from fabd.config.model import ApiSettings
from fabd.views import Problem
from fakes.served import Served

STRANGER = 65534
"""Debian's `nobody`."""
ACTS = [
    ("POST", "/v1/quote?title=x"),
    ("POST", "/v1/jobs?title=x"),
    *[("POST", f"/v1/jobs/1/{verb}") for verb in ("cancel", "hold", "release", "retry")],
    *[("POST", f"/v1/machines/m/{verb}") for verb in ("ready", "load", "pause", "resume", "emergency")],
    *[("POST", f"/v1/machines/m/{verb}") for verb in ("close", "open", "answer")],
    ("POST", "/v1/members"),
    ("POST", "/v1/members/alice/grants"),
    ("POST", "/v1/members/alice/revocations"),
    ("POST", "/v1/reload"),
]
BODIES: dict[str, Any] = {
    "load": {"lot": "x"},
    "close": {"why": "x"},
    "answer": {"answer": "x"},
    "members": {"id": "x"},
    "grants": {"kind": "x", "level": "x"},
    "revocations": {"kind": "x"},
}


def called_by(app: ASGIApp, uid: int) -> ASGIApp:
    """The application as the socket gives it a caller with this user id."""

    async def wire(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {"peer_uid": uid}}, receive, send)

    return wire


def ask(counter: Served, uid: int, method: str, path: str, **more: Any) -> httpx.Response:
    async def asking() -> httpx.Response:
        transport = httpx.ASGITransport(called_by(counter.app, uid))
        async with httpx.AsyncClient(transport=transport, base_url="http://fabd") as client:
            return await client.request(method, path, **more)

    return counter.do(asking)


def test_root_and_the_daemons_own_account_may_do_everything() -> None:
    for uid in (0, os.getuid()):
        caller = rights_of(uid, ApiSettings())
        assert caller.administrator
        assert caller.facilitator


def test_other_accounts_may_what_the_configuration_says() -> None:
    name = pwd.getpwuid(STRANGER).pw_name
    reader = rights_of(STRANGER, ApiSettings())
    facilitator = rights_of(STRANGER, ApiSettings(facilitators=(name,)))
    administrator = rights_of(STRANGER, ApiSettings(administrators=(name,)))
    assert (reader.administrator, reader.facilitator) == (False, False)
    assert (facilitator.administrator, facilitator.facilitator) == (False, True)
    assert (administrator.administrator, administrator.facilitator) == (True, True)


def test_an_account_without_a_name_is_called_by_its_number() -> None:
    assert account_of(4_000_000) == "#4000000"


def test_the_acts_are_all_acts_that_there_are(counter: Served) -> None:
    paths = counter.app.openapi()["paths"]
    found = {(method, path) for path, methods in paths.items() for method in methods if method != "get"}
    assert len(found) == len(ACTS)


def test_who_may_only_look_cannot_act(counter: Served) -> None:
    answers = {path: ask(counter, STRANGER, method, path, json=BODIES.get(_verb(path), {})) for method, path in ACTS}
    codes = {path: Problem.model_validate_json(answer.content).problem.code for path, answer in answers.items()}
    assert codes.pop("/v1/reload") == "api-account-no-administrator"
    assert set(codes.values()) == {"api-account-reads-only"}
    assert {answer.status_code for answer in answers.values()} == {403}


def _verb(path: str) -> str:
    return path.split("?", maxsplit=1)[0].rsplit("/", 1)[1]


def test_who_may_only_look_can_look(counter: Served) -> None:
    rooms = ("health", "jobs", "machines", "prompts", "members", "usage", "usage/verify")
    assert [ask(counter, STRANGER, "GET", f"/v1/{room}").status_code for room in rooms] == [200] * len(rooms)


def test_naming_a_facilitator_lends_no_rights(counter: Served, client: Client) -> None:
    client.add_member("lea", facilitator=True)
    answer = ask(counter, STRANGER, "POST", "/v1/members", json={"id": "x"}, headers={"Fabd-As": "lea"})
    assert answer.status_code == 403


def test_only_administrators_make_facilitators(counter: Served) -> None:
    name = pwd.getpwuid(STRANGER).pw_name
    api = counter.cafe.house.config.fabd.api.model_copy(update={"facilitators": (name,)})
    fabd = counter.cafe.house.config.fabd.model_copy(update={"api": api})
    counter.cafe.house.config = counter.cafe.house.config.model_copy(update={"fabd": fabd})
    assert ask(counter, STRANGER, "POST", "/v1/members", json={"id": "x", "facilitator": True}).status_code == 403
    assert ask(counter, STRANGER, "POST", "/v1/members", json={"id": "x"}).status_code == 201


@pytest.mark.parametrize(
    ("person", "code"),
    [("alice", "api-person-no-facilitator"), ("nobody", "member-not-found"), ("léa", "member-not-found")],
)
def test_only_a_facilitator_can_be_named(counter: Served, client: Client, person: str, code: str) -> None:
    client.add_member("alice")
    with Client(counter.socket, person) as named, pytest.raises(ClientError) as refused:
        named.add_member("x")
    assert refused.value.trouble is Trouble.REFUSED
    assert refused.value.problem.problem.code == code
    assert refused.value.problem.problem.params.get("person", person) == person
    assert [member.id for member in client.members()] == ["alice"]


def test_account_and_person_are_both_recorded(counter: Served, client: Client) -> None:
    client.add_member("lea", facilitator=True)
    client.add_member("alice")
    with Client(counter.socket, "lea") as lea:
        granted = lea.grant("alice", "printer", "autonomous")
    assert granted.grants[0].granted_by == f"{account_of(os.getuid())}/lea"
