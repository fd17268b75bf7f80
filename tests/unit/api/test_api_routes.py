"""The routes, through the real client, against a real house."""

import asyncio
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fabd import clock
from fabd.api.system import snapshots
from fabd.client import Client, ClientError, Trouble
from fabd.errors import ConfigError
from fabd.model import Message
from fabd.queue.house import Wish
from fabd.views import SnapshotView
from fakes.cafe import cafe
from fakes.served import Served


def refusal(error: pytest.ExceptionInfo[ClientError]) -> tuple[Trouble, str]:
    return error.value.trouble, error.value.problem.problem.code


def test_a_member_is_made_known_once(client: Client) -> None:
    added = client.add_member("alice", name="Alice", customer="C-0042")
    assert (added.id, added.name, added.customer, added.facilitator) == ("alice", "Alice", "C-0042", False)
    with pytest.raises(ClientError) as refused:
        client.add_member("alice")
    assert refusal(refused) == (Trouble.REFUSED, "member-exists")
    assert client.members() == [client.member("alice")]


def test_a_level_is_granted_and_taken_back(client: Client) -> None:
    client.add_member("alice")
    assert client.grant("alice", "printer", "autonomous", why="passed").levels == {"printer": "autonomous"}
    revoked = client.revoke("alice", "printer", why="broke a blade")
    assert revoked.levels == {"printer": "served"}
    assert [(grant.action, grant.why) for grant in revoked.grants] == [("grant", "passed"), ("revoke", "broke a blade")]


def test_a_grant_counts_to_the_end_of_its_last_day_at_the_site(client: Client) -> None:
    client.add_member("alice")
    last = clock.now().date() + timedelta(days=40)
    until = client.grant("alice", "printer", "autonomous", until=last).grants[0].until
    assert until is not None
    midnight = (last + timedelta(days=1)).isoformat()
    assert until.astimezone(ZoneInfo("Europe/Paris")).strftime("%Y-%m-%d %H:%M") == f"{midnight} 00:00"


@pytest.mark.parametrize("name", ["nobody", "../jobs", "a b", "é", "..", "%2e%2e", "a/b"])
def test_a_name_that_does_not_exist_is_told_whatever_it_looks_like(client: Client, name: str) -> None:
    for ask in (client.member, client.job, client.machine):
        with pytest.raises(ClientError) as refused:
            ask(name)
        assert refused.value.trouble is Trouble.REFUSED


def test_an_empty_ledger_is_whole(client: Client) -> None:
    assert client.usage() == []
    assert list(client.export()) == []
    assert (client.verify().ok, client.verify().entries) == (True, 0)


@pytest.mark.parametrize("seq", [-1, 0, 2**63, 10**30])
def test_a_number_that_no_entry_can_have_is_malformed(client: Client, seq: int) -> None:
    with pytest.raises(ClientError) as refused:
        client.entry(seq)
    assert refusal(refused) == (Trouble.WRONG, "api-request-invalid")


def test_an_option_that_nobody_knows_is_told(client: Client) -> None:
    with pytest.raises(ClientError) as refused:
        client.quote(BytesIO(b"G28"), {"title": "x", "colour": "red"})
    assert refusal(refused) == (Trouble.WRONG, "api-request-invalid")
    assert refused.value.problem.details[0].params["where"] == "query > colour"


def test_an_empty_file_is_refused(client: Client, counter: Served) -> None:
    with pytest.raises(ClientError) as refused:
        client.submit(BytesIO(b""), {"title": "x"}, key="k")
    assert refusal(refused) == (Trouble.REFUSED, "api-upload-empty")
    assert client.jobs(everything=True) == []
    assert list((counter.cafe.house.store.path / "incoming").iterdir()) == []


def test_a_reload_is_taken_or_refused_with_every_mistake(client: Client, counter: Served) -> None:
    assert client.reload().ok
    counter.reload_fails.append(ConfigError(Message(code="config-no-directory", params={"path": "/nowhere"})))
    with pytest.raises(ClientError) as refused:
        client.reload()
    assert refusal(refused) == (Trouble.WRONG, "config-invalid")
    assert [detail.code for detail in refused.value.problem.details] == ["config-no-directory"]


def test_watching_ends_with_the_daemon(client: Client, counter: Served) -> None:
    watched = client.watch()
    first = next(watched)
    assert ([machine.id for machine in first.machines], first.jobs) == (["mk4"], ())
    counter.close()
    assert list(watched) == []


async def test_a_snapshot_follows_each_change(tmp_path: Path) -> None:
    async with cafe(tmp_path) as open_cafe:
        closing = asyncio.Event()
        lines = snapshots(open_cafe.house, closing)
        first = SnapshotView.model_validate_json(await anext(lines))
        sent = await open_cafe.send(Wish(title="vase.gcode"))
        second = SnapshotView.model_validate_json(await anext(lines))
        closing.set()
        assert [line async for line in lines] == []
    assert (first.jobs, [job.id for job in second.jobs]) == ((), [sent.id])
