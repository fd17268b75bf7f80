"""Members and their levels."""

from datetime import date, datetime, time, timedelta
from http import HTTPStatus
from zoneinfo import ZoneInfo

from fastapi import APIRouter

from fabd import clock
from fabd.api.callers import Facilitator, TheHouse
from fabd.errors import NotAllowed
from fabd.metering import members as book
from fabd.queue.house import House
from fabd.store import Connection
from fabd.views import GrantAsk, MemberAsk, MemberView, RevokeAsk

router = APIRouter(prefix="/members", tags=["members"])


@router.post("", status_code=HTTPStatus.CREATED)
async def add(house: TheHouse, caller: Facilitator, ask: MemberAsk) -> MemberView:
    """Make a member known. Only administrators make facilitators."""
    if ask.facilitator and not caller.administrator:
        raise NotAllowed("api-account-no-administrator", account=caller.account)
    at = clock.now()

    def work(c: Connection) -> MemberView:
        book.add(c, ask.id, name=ask.name, customer=ask.customer, facilitator=ask.facilitator, at=at)
        return book.view(c, house.config, ask.id, at)

    return await house.store.transaction(work)


@router.get("")
async def members(house: TheHouse) -> list[MemberView]:
    at = clock.now()

    def work(c: Connection) -> list[MemberView]:
        return [book.view(c, house.config, member.id, at) for member in book.all_members(c)]

    return await house.store.read(work)


@router.get("/{member}")
async def member(house: TheHouse, member: str) -> MemberView:
    at = clock.now()
    return await house.store.read(lambda c: book.view(c, house.config, member, at))


@router.post("/{member}/grants")
async def grant(house: TheHouse, caller: Facilitator, member: str, ask: GrantAsk) -> MemberView:
    """Give the member a level on a kind of machine."""
    at = clock.now()
    until = None if ask.until is None else _end_of_day(house, ask.until)

    def work(c: Connection) -> MemberView:
        by = caller.described
        book.grant(c, house.config, member, ask.kind, ask.level, by=by, at=at, until=until, why=ask.why)
        return book.view(c, house.config, member, at)

    return await house.store.transaction(work)


@router.post("/{member}/revocations")
async def revoke(house: TheHouse, caller: Facilitator, member: str, ask: RevokeAsk) -> MemberView:
    """Take back what was granted on a kind: the member has the default level again."""
    at = clock.now()

    def work(c: Connection) -> MemberView:
        book.revoke(c, member, ask.kind, by=caller.described, at=at, why=ask.why)
        return book.view(c, house.config, member, at)

    return await house.store.transaction(work)


def _end_of_day(house: House, day: date) -> datetime:
    zone = ZoneInfo(house.config.fabd.site.timezone)
    return datetime.combine(day + timedelta(days=1), time.min, zone)
