import asyncio
import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fabd.errors import Conflict, NotFound, Refused, StoreError
from fabd.metering import ledger, members
from fabd.metering.canonical import sha256_hex
from fabd.model import Fault, Meter, Method, Outcome
from fabd.store import Connection, Store
from fabd.store.schema import book as book_table
from fabd.store.schema import entry, member, outbox
from unit.metering.samples import AT, add_attempt, charge, line, measured

HOUR = timedelta(hours=1)


def post(c: Connection, book: ledger.Book, **changes: object) -> ledger.Entry:
    """The first charge of a new attempt of job 412."""
    number = (c.execute(sa.select(sa.func.count()).select_from(entry)).scalar() or 0) + 1
    return ledger.post_charge(c, book, charge(add_attempt(c, number=number), attempt=number, **changes), AT)


# --- the book ----------------------------------------------------------------------------------------


def test_a_store_has_one_ledger_with_an_id_of_its_own(c: Connection) -> None:
    book = ledger.open_book(c, "wazemmes", AT)
    assert ledger.open_book(c, "wazemmes", AT + HOUR) == book
    assert re.fullmatch(r"/wazemmes/ledger/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", ledger.source(book))


def test_a_store_from_another_cafe_is_refused(c: Connection) -> None:
    ledger.open_book(c, "wazemmes", AT)
    with pytest.raises(StoreError, match="belongs to the site wazemmes"):
        ledger.open_book(c, "moulins", AT)


def test_the_ledger_that_was_opened_after_a_restore_is_the_current_one(c: Connection, book: ledger.Book) -> None:
    first = post(c, book)
    c.execute(sa.insert(book_table).values(id="child", parent=book.id, site="wazemmes", opened_at=AT - HOUR))
    child = ledger.open_book(c, "wazemmes", AT)
    assert (child.id, child.parent) == ("child", book.id)
    second = post(c, child)
    assert (second.seq, second.prev) == (2, first.hash)
    assert [one.source for one in ledger.entries(c)] == [ledger.source(book), "/wazemmes/ledger/child"]
    assert ledger.verify(c).ok


# --- writing -----------------------------------------------------------------------------------------


def test_entries_are_numbered_without_a_gap_and_chained(c: Connection, book: ledger.Book) -> None:
    assert ledger.head(c) is None
    first, second, third = (post(c, book) for _ in range(3))
    assert [one.seq for one in (first, second, third)] == [1, 2, 3]
    assert [one.prev for one in (first, second, third)] == ["0" * 64, first.hash, second.hash]
    assert len({first.id, second.id, third.id}) == 3
    assert ledger.head(c) == third
    assert third.hash == sha256_hex(third.data)


def test_every_entry_leaves_a_message_for_the_till(c: Connection, book: ledger.Book) -> None:
    post(c, book)
    ledger.reverse(c, book, post(c, book).id, AT, "entered-twice")
    assert c.execute(sa.select(outbox.c.seq, outbox.c.sent_at)).all() == [(1, None), (2, None), (3, None)]


def test_a_charge_says_all_that_the_till_and_an_auditor_need(c: Connection, book: ledger.Book) -> None:
    alice = members.add(c, "alice", at=AT)
    lea = members.add(c, "lea", facilitator=True, at=AT)
    posted = post(
        c,
        book,
        member=alice.pseudonym,
        payer=alice.pseudonym,
        facilitator=lea.pseudonym,
        level="accompanied",
        outcome=Outcome.CANCELED,
        fault=Fault.MEMBER,
        lot="pla-white-1",
        material_is_default=False,
        lines=(line(342), line(325, coef="1.250")),
    )
    assert posted.facts() == {
        "seq": 1,
        "prev": "0" * 64,
        "source": ledger.source(book),
        "id": posted.id,
        "time": "2026-06-01T12:00:00Z",
        "clock_behind_s": 0,
        "kind": "charge",
        "reverses": None,
        "why": None,
        "job": "412",
        "attempt": 1,
        "revision": 1,
        "machine": "prusa-1",
        "machine_kind": "printer",
        "member": alice.pseudonym,
        "payer": alice.pseudonym,
        "facilitator": lea.pseudonym,
        "level": "accompanied",
        "tariff": "example",
        "outcome": "canceled",
        "fault": "member",
        "material": "pla",
        "lot": "pla-white-1",
        "material_is_default": False,
        "charged": "measured",
        "measured": {"filament_mg": {"qty": "42700", "method": "odometer"}},
        "lines": [
            {
                "sku": "PRN-PLA",
                "label": "Filament PLA",
                "meter": "filament_mg",
                "qty": "42700",
                "method": "odometer",
                "price_micro": 80,
                "coef": coef,
                "ttc_cents": cents,
                "vat": "FR20",
            }
            for coef, cents in (("1.00", 342), ("1.250", 325))
        ],
        "total_ttc_cents": 667,
        "currency": "EUR",
    }


def test_a_job_for_nothing_is_recorded_too(c: Connection, book: ledger.Book) -> None:
    posted = post(c, book, lines=(), charged="nothing", fault=Fault.MACHINE)
    assert posted.facts()["total_ttc_cents"] == 0
    assert posted.facts()["measured"]["filament_mg"]["qty"] == "42700"


@pytest.mark.parametrize("role", ["member", "payer", "facilitator"])
@pytest.mark.parametrize("person", ["alice", "Alice Martin", "pi/lea", "m_", "m_XYZ", "", "walk-in "])
def test_nobody_is_written_by_name(c: Connection, book: ledger.Book, role: str, person: str) -> None:
    with pytest.raises(ValueError, match="pseudonyms only"):
        post(c, book, **{role: person})
    assert ledger.head(c) is None


@given(number=st.floats())
@pytest.mark.parametrize("place", ["total", "price", "lot", "machine", "level"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
def test_no_float_gets_in(c: Connection, book: ledger.Book, place: str, number: float) -> None:
    changes: dict[str, dict[str, object]] = {
        "total": {"lines": (replace(line(), ttc_cents=number),)},  # type: ignore[arg-type]
        "price": {"lines": (replace(line(), price_micro=number),)},  # type: ignore[arg-type]
        "lot": {"lot": number},
        "machine": {"machine": number},
        "level": {"level": number},
    }
    before_it = c.begin_nested()
    with pytest.raises(TypeError, match="float"):
        ledger.post_charge(c, book, charge(add_attempt(c), **changes[place]), AT)
    before_it.rollback()
    assert ledger.head(c) is None


def test_a_clock_that_jumps_back_puts_nothing_out_of_order(c: Connection, book: ledger.Book) -> None:
    ids = [add_attempt(c, number=number) for number in (1, 2, 3)]
    times = [AT, AT - HOUR, AT + timedelta(seconds=0.9)]
    posted = [
        ledger.post_charge(c, book, charge(row, attempt=number), at)
        for number, (row, at) in enumerate(zip(ids, times, strict=True), start=1)
    ]
    assert [one.at for one in posted] == [AT, AT, AT]
    assert [one.facts()["clock_behind_s"] for one in posted] == [0, 3600, 0]
    assert ledger.verify(c).ok


def test_a_charge_names_the_job_of_its_attempt(c: Connection, book: ledger.Book) -> None:
    row = add_attempt(c)
    for wrong in (charge(row, job=413), charge(row, attempt=2), charge(row + 1)):
        with pytest.raises(ValueError, match="is not attempt"):
            ledger.post_charge(c, book, wrong, AT)
    assert ledger.head(c) is None


def test_a_time_without_a_zone_is_refused(c: Connection, book: ledger.Book) -> None:
    with pytest.raises(ValueError, match="naive"):
        ledger.post_charge(c, book, charge(add_attempt(c)), AT.replace(tzinfo=None))
    assert ledger.head(c) is None


# --- correcting --------------------------------------------------------------------------------------


def test_a_reversal_takes_everything_back(c: Connection, book: ledger.Book) -> None:
    charged = post(c, book, lines=(line(342), line(325)))
    reversal = ledger.reverse(c, book, charged.id, AT + HOUR, "entered-twice")
    facts = reversal.facts()
    assert (facts["kind"], facts["reverses"], facts["why"]) == ("reversal", charged.id, "entered-twice")
    assert facts["total_ttc_cents"] == -667
    assert [(one["qty"], one["price_micro"], one["ttc_cents"]) for one in facts["lines"]] == [
        ("-42700", 80, -342),
        ("-42700", 80, -325),
    ]
    assert facts["measured"] == {"filament_mg": {"qty": "-42700", "method": "odometer"}}
    changed = {"seq", "prev", "id", "time", "kind", "reverses", "why", "total_ttc_cents", "lines", "measured"}
    assert {key for key, value in charged.facts().items() if facts[key] != value} == changed
    assert ledger.standing(c, charged.attempt or 0) is None


cents = st.integers(0, 10**6)


@given(amounts=st.lists(cents, max_size=5), qty=st.integers(0, 10**9))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_a_charge_is_the_sum_of_its_lines_and_its_reversal_is_its_negative(
    c: Connection, book: ledger.Book, amounts: list[int], qty: int
) -> None:
    charged = post(c, book, lines=tuple(line(amount, qty=qty) for amount in amounts))
    reversal = ledger.reverse(c, book, charged.id, AT, "test")
    for one, sign in ((charged.facts(), 1), (reversal.facts(), -1)):
        assert one["total_ttc_cents"] == sign * sum(amounts) == sum(line["ttc_cents"] for line in one["lines"])
        assert sum(int(line["qty"]) for line in one["lines"]) == sign * qty * len(amounts)
    assert ledger.verify(c).ok


def test_nothing_is_reversed_twice(c: Connection, book: ledger.Book) -> None:
    charged = post(c, book)
    reversal = ledger.reverse(c, book, charged.id, AT, "entered-twice")
    with pytest.raises(Conflict, match="Entry 1 was already reversed, by entry 2"):
        ledger.reverse(c, book, charged.id, AT, "entered-twice")
    with pytest.raises(Refused, match="Entry 2 is a reversal"):
        ledger.reverse(c, book, reversal.id, AT, "mind-changed")
    with pytest.raises(NotFound):
        ledger.reverse(c, book, "no-such-id", AT, "entered-twice")
    assert ledger.head(c) == reversal


def test_free_text_stays_outside(c: Connection, book: ledger.Book) -> None:
    charged = post(c, book)
    with pytest.raises(ValueError, match="free text"):
        ledger.reverse(c, book, charged.id, AT, "Alice jammed it")


def test_an_attempt_is_charged_once(c: Connection, book: ledger.Book) -> None:
    charged = post(c, book)
    for revision in (1, 2):
        with pytest.raises(Conflict, match="already charged, by entry 1"):
            ledger.post_charge(c, book, charge(charged.attempt or 0, revision=revision), AT)
    with pytest.raises(Conflict, match="revision 0"):
        post(c, book, revision=2)
    assert ledger.head(c) == charged


def test_a_correction_is_a_reversal_and_a_new_charge_any_number_of_times(c: Connection, book: ledger.Book) -> None:
    charged = post(c, book)
    row = charged.attempt or 0
    assert ledger.totals(c, [row]) == {row: 342}
    for revision, amount in ((2, 100), (3, 0), (4, 500)):
        stands = ledger.standing(c, row)
        new = charge(row, revision=revision, lines=(line(amount),), payer="walk-in")
        reversal, corrected = ledger.correct(c, book, row, new, AT, "piece-failed")
        assert stands is not None
        assert (reversal.reverses, reversal.facts()["why"]) == (stands.id, "piece-failed")
        assert (corrected.seq, corrected.revision) == (reversal.seq + 1, revision)
        assert ledger.standing(c, row) == corrected
        assert ledger.totals(c, [row, 99]) == {row: amount}
    assert sum(one.data["total_ttc_cents"] for one in ledger.entries(c)) == 500  # type: ignore[misc]
    assert ledger.verify(c).ok


def test_a_correction_that_is_refused_has_taken_nothing_back(c: Connection, book: ledger.Book) -> None:
    charged = post(c, book)
    for revision in (1, 3):
        with pytest.raises(Conflict, match="it is at revision 1 now"):
            ledger.correct(c, book, charged.attempt or 0, charge(charged.attempt or 0, revision=revision), AT)
    assert ledger.head(c) == charged


def test_a_charge_that_was_reversed_for_good_can_be_posted_again_with_the_next_revision(
    c: Connection, book: ledger.Book
) -> None:
    charged = post(c, book)
    row = charged.attempt or 0
    ledger.reverse(c, book, charged.id, AT, "entered-twice")
    with pytest.raises(Conflict, match="no charge that stands"):
        ledger.correct(c, book, row, charge(row, revision=2), AT)
    with pytest.raises(Conflict):
        ledger.post_charge(c, book, charge(row), AT)
    assert ledger.post_charge(c, book, charge(row, revision=2), AT).seq == 3


def test_a_charge_of_one_attempt_corrects_no_other(c: Connection, book: ledger.Book) -> None:
    one, other = post(c, book), post(c, book)
    with pytest.raises(ValueError, match="cannot correct"):
        ledger.correct(c, book, one.attempt or 0, charge(other.attempt or 0, revision=2), AT)


async def test_of_two_who_correct_the_same_charge_at_once_one_gets_a_conflict(store: Store) -> None:
    def begin(c: Connection) -> int:
        row = add_attempt(c)
        ledger.post_charge(c, ledger.open_book(c, "wazemmes", AT), charge(row), AT)
        return row

    row = await store.transaction(begin)

    async def correct(amount: int) -> object:
        new = charge(row, revision=2, lines=(line(amount),))
        return await store.transaction(lambda c: ledger.correct(c, ledger.open_book(c, "wazemmes", AT), row, new, AT))

    outcomes = await asyncio.gather(correct(100), correct(200), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "tuple"]
    refused = next(outcome for outcome in outcomes if isinstance(outcome, Conflict))
    assert refused.message.code == "charge-not-newest"
    assert refused.message.params["revision"] == 2
    found = await store.read(ledger.verify)
    assert (found.ok, found.entries) == (True, 3)


async def test_a_transaction_that_fails_leaves_neither_entry_nor_message(store: Store) -> None:
    def fail(c: Connection) -> None:
        ledger.post_charge(c, ledger.open_book(c, "wazemmes", AT), charge(add_attempt(c)), AT)
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        await store.transaction(fail)
    assert await store.read(ledger.head) is None
    assert await store.read(lambda c: c.execute(sa.select(outbox)).all()) == []


def test_the_store_itself_keeps_out_what_the_code_would_miss(c: Connection, book: ledger.Book) -> None:
    charged = post(c, book)
    same = {column.name: getattr(charged, column.name) for column in entry.c} | {"kind": "charge"}
    for changes in ({"seq": 2, "id": "other"}, {"seq": 2, "revision": 2}):  # same attempt and revision; same id
        with pytest.raises(sa.exc.IntegrityError), c.begin_nested():
            c.execute(sa.insert(entry).values(same | changes))
    ledger.reverse(c, book, charged.id, AT, "test")
    twice = same | {"seq": 3, "id": "other", "attempt": None, "reverses": charged.id}
    with pytest.raises(sa.exc.IntegrityError), c.begin_nested():
        c.execute(sa.insert(entry).values(twice))


# --- what came before --------------------------------------------------------------------------------


def test_what_earlier_attempts_had_is_counted_as_far_as_it_was_charged(c: Connection, book: ledger.Book) -> None:
    used = measured({Meter.FILAMENT_MG: 1000, Meter.MACHINE_S: 60})
    assert ledger.charged_before(c, 412) == ledger.Before(quantities={}, first=True)
    post(c, book, measured=used, charged="nothing", lines=())
    assert ledger.charged_before(c, 412) == ledger.Before(quantities={}, first=True)
    post(c, book, measured=used, charged="material")
    assert ledger.charged_before(c, 412) == ledger.Before(quantities={Meter.FILAMENT_MG: 1000}, first=True)
    third = post(c, book, measured=used)
    both = {Meter.FILAMENT_MG: 2000, Meter.MACHINE_S: 60}
    assert ledger.charged_before(c, 412) == ledger.Before(quantities=both, first=False)
    assert ledger.charged_before(c, 412, 3) == ledger.Before(quantities={Meter.FILAMENT_MG: 1000}, first=True)
    assert ledger.charged_before(c, 413) == ledger.Before(quantities={}, first=True)
    ledger.reverse(c, book, third.id, AT, "test")
    assert ledger.charged_before(c, 412) == ledger.Before(quantities={Meter.FILAMENT_MG: 1000}, first=True)


# --- showing -----------------------------------------------------------------------------------------


def test_the_envelope_is_that_of_the_design(c: Connection, book: ledger.Book) -> None:
    alice = members.add(c, "alice", customer="C-0042", at=AT)
    posted = post(c, book, member=alice.pseudonym, payer=alice.pseudonym)
    event = ledger.event(ledger.entry_at(c, 1))
    data = event.pop("data")
    assert event == {
        "specversion": "1.0",
        "type": "fabd.usage.v1",
        "source": ledger.source(book),
        "id": posted.id,
        "time": "2026-06-01T12:00:00Z",
        "subject": "job/412",
        "datacontenttype": "application/json",
        "ticket": "K7",
        "customer": "C-0042",
    }
    assert data == {**json.loads(posted.data), "hash": posted.hash}


def test_a_till_can_check_the_hash_from_the_event_alone(c: Connection, book: ledger.Book) -> None:
    post(c, book)
    data = json.loads(json.dumps(ledger.event(ledger.entry_at(c, 1))))["data"]
    claimed = data.pop("hash")
    spelled = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert sha256_hex(spelled) == claimed


def test_a_reversal_carries_the_ticket_of_its_charge(c: Connection, book: ledger.Book) -> None:
    ledger.reverse(c, book, post(c, book).id, AT, "test")
    assert [one.ticket for one in ledger.entries(c)] == ["K7", "K7"]


def test_forgetting_a_person_leaves_the_chain_whole(c: Connection, book: ledger.Book) -> None:
    alice = members.add(c, "alice", name="Alice Martin", customer="C-0042", at=AT)
    post(c, book, member=alice.pseudonym, payer=alice.pseudonym)
    assert ledger.entry_at(c, 1).customer == "C-0042"
    c.execute(sa.delete(member))
    assert ledger.entry_at(c, 1).customer is None
    assert ledger.verify(c).ok


def test_entries_come_in_pages(c: Connection, book: ledger.Book) -> None:
    for _ in range(5):
        post(c, book)
    assert [one.seq for one in ledger.entries(c)] == [1, 2, 3, 4, 5]
    assert [one.seq for one in ledger.entries(c, after=2, limit=2)] == [3, 4]
    assert ledger.entries(c, after=5) == []
    with pytest.raises(NotFound, match="no entry 6"):
        ledger.entry_at(c, 6)


def test_how_a_quantity_was_measured_stays_on_record(c: Connection, book: ledger.Book) -> None:
    posted = post(c, book, measured=measured({Meter.STITCHES: 412}, Method.CURVE))
    assert posted.facts()["measured"] == {"stitches": {"qty": "412", "method": "curve"}}
