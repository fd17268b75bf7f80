import re
from datetime import timedelta

import pytest

from fabd.errors import Conflict, NotFound, Refused
from fabd.metering import levels, members
from fabd.model import Fault, Outcome
from fabd.store import Connection
from unit.metering.samples import AT, CONFIG, level

DAY = timedelta(days=1)


def grant(c: Connection, level_id: str, *, kind: str = "printer", days: int | None = None) -> None:
    until = None if days is None else AT + days * DAY
    members.grant(c, CONFIG, "alice", kind, level_id, by="pi/lea", at=AT, until=until, why="course of June")


@pytest.fixture
def alice(c: Connection) -> members.Member:
    return members.add(c, "alice", name="Alice Martin", customer="C-0042", at=AT)


def level_id(c: Connection, kind: str = "printer", *, days: float = 0) -> str:
    return levels.level_of(c, CONFIG, "alice", kind, AT + days * DAY).id


def test_a_member_gets_a_pseudonym_that_says_nothing(c: Connection, alice: members.Member) -> None:
    assert re.fullmatch(r"m_[0-9a-f]{12}", alice.pseudonym)
    lea = members.add(c, "lea", facilitator=True, at=AT)
    assert members.PSEUDONYM.fullmatch(lea.pseudonym)
    assert lea.pseudonym != alice.pseudonym
    assert members.find(c, "alice") == alice
    assert members.all_members(c) == (alice, lea)


def test_an_id_is_taken_once(c: Connection, alice: members.Member) -> None:
    with pytest.raises(Conflict, match="already a member alice"):
        members.add(c, "alice", at=AT)
    assert members.all_members(c) == (alice,)


@pytest.mark.parametrize("bad", ["", "Alice", "-x", ".x", "a b", "é", "a" * 41, "a\n", "٣", "a/b", "walk in"])
def test_an_id_that_cannot_be_typed_is_refused(c: Connection, bad: str) -> None:
    with pytest.raises(Refused) as caught:
        members.add(c, bad, at=AT)
    assert caught.value.message.code == "member-id-invalid"
    assert members.all_members(c) == ()


@pytest.mark.usefixtures("alice")
def test_an_unknown_member_is_met_with_those_who_look_alike(c: Connection) -> None:
    with pytest.raises(NotFound, match="Did you mean alice"):
        members.find(c, "alcie")
    with pytest.raises(NotFound, match="fabd member add zoe"):
        members.find(c, "zoe")


@pytest.mark.usefixtures("alice")
class TestLevels:
    def test_without_a_grant_everybody_is_at_the_default(self, c: Connection) -> None:
        assert level_id(c) == "served"
        assert levels.level_of(c, CONFIG, None, "printer", AT).id == "served"

    def test_a_grant_counts_for_its_kind_alone(self, c: Connection) -> None:
        grant(c, "autonomous")
        assert level_id(c) == "autonomous"
        assert level_id(c, "cutter") == "served"

    def test_the_newest_grant_replaces_the_one_before(self, c: Connection) -> None:
        grant(c, "mentor")
        grant(c, "accompanied")
        assert level_id(c) == "accompanied"

    def test_a_grant_that_has_ended_leads_back_to_the_default_and_never_up(self, c: Connection) -> None:
        grant(c, "mentor")
        grant(c, "accompanied", days=10)
        assert level_id(c, days=9.99) == "accompanied"
        assert level_id(c, days=10) == "served"

    def test_a_revocation_leads_back_to_the_default(self, c: Connection) -> None:
        grant(c, "mentor")
        grant(c, "autonomous")
        members.revoke(c, "alice", "printer", by="pi/lea", at=AT, why="left the tools dirty")
        assert level_id(c) == "served"
        grant(c, "accompanied")
        assert level_id(c) == "accompanied"

    def test_a_clock_that_jumped_back_brings_no_old_grant_to_life(self, c: Connection) -> None:
        grant(c, "mentor")
        members.revoke(c, "alice", "printer", by=None, at=AT - 400 * DAY, why=None)
        assert level_id(c) == "served"

    def test_nothing_in_force_is_nothing_to_revoke(self, c: Connection) -> None:
        with pytest.raises(Conflict, match="nothing to revoke"):
            members.revoke(c, "alice", "printer", by=None, at=AT, why=None)
        grant(c, "mentor", days=1)
        with pytest.raises(Conflict):
            members.revoke(c, "alice", "printer", by=None, at=AT + 2 * DAY, why=None)

    def test_what_does_not_exist_cannot_be_granted(self, c: Connection) -> None:
        with pytest.raises(NotFound, match="There are: cutter, embroiderer, printer"):
            grant(c, "mentor", kind="laser")
        with pytest.raises(NotFound, match="There are: served, accompanied, autonomous, mentor"):
            grant(c, "wizard")
        with pytest.raises(NotFound, match="no member bob"):
            members.grant(c, CONFIG, "bob", "printer", "mentor", by=None, at=AT)
        assert members.grants(c, "alice") == ()

    @pytest.mark.parametrize("days", [-1, 0])
    def test_a_grant_cannot_end_before_it_begins(self, c: Connection, days: int) -> None:
        with pytest.raises(Refused, match="cannot end in the past"):
            grant(c, "mentor", days=days)
        assert members.grants(c, "alice") == ()

    def test_a_level_that_was_taken_out_of_the_configuration_is_said(self, c: Connection) -> None:
        grant(c, "mentor")
        fewer = CONFIG.model_copy(update={"levels": CONFIG.levels[:3]})
        with pytest.raises(Refused, match=r"levels.toml no longer has it"):
            levels.level_of(c, fewer, "alice", "printer", AT)
        assert members.view(c, fewer, "alice", AT).levels["printer"] == "mentor"

    def test_the_view_tells_levels_and_how_they_came(self, c: Connection) -> None:
        grant(c, "autonomous")
        grant(c, "mentor", kind="cutter", days=3)
        members.revoke(c, "alice", "printer", by="pi/lea", at=AT, why="a pause")
        shown = members.view(c, CONFIG, "alice", AT)
        assert shown.levels == {"printer": "served", "cutter": "mentor", "embroiderer": "served"}
        assert [(one.action, one.kind, one.level, one.granted_by, one.why) for one in shown.grants] == [
            ("grant", "printer", "autonomous", "pi/lea", "course of June"),
            ("grant", "cutter", "mentor", "pi/lea", "course of June"),
            ("revoke", "printer", "autonomous", "pi/lea", "a pause"),
        ]
        assert shown.grants[1].until == AT + 3 * DAY
        assert (shown.name, shown.customer, shown.facilitator) == ("Alice Martin", "C-0042", False)


@pytest.mark.parametrize(
    ("level_name", "outcome", "fault", "charged"),
    [
        ("served", Outcome.COMPLETED, Fault.NONE, "measured"),
        ("served", Outcome.COMPLETED, Fault.OPERATOR, "nothing"),
        ("served", Outcome.CANCELED, Fault.MEMBER, "material"),
        ("served", Outcome.ABORTED, Fault.UNKNOWN, "nothing"),
        ("accompanied", Outcome.ABORTED, Fault.UNKNOWN, "material"),
        ("accompanied", Outcome.ABORTED, Fault.NONE, "material"),
        ("accompanied", Outcome.COMPLETED, Fault.MACHINE, "nothing"),
        ("autonomous", Outcome.CANCELED, Fault.MEMBER, "measured"),
        ("autonomous", Outcome.CANCELED, Fault.NONE, "material"),
        ("mentor", Outcome.ABORTED, Fault.MACHINE, "nothing"),
        ("mentor", Outcome.CANCELED, Fault.MEMBER, "measured"),
    ],
)
def test_what_a_failure_costs(level_name: str, outcome: Outcome, fault: Fault, charged: str) -> None:
    assert levels.charged_for(level(level_name), outcome, fault) == charged
