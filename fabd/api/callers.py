"""Who calls, and what they may do: the account comes from the socket, the person from the header `Fabd-As`.

The header names a person and lends no rights: those are the account's. All dependencies are coroutines: FastAPI
would run plain functions in threads.
"""

import os
import pwd
from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Header, Request

from fabd.config.model import ApiSettings
from fabd.errors import NotAllowed
from fabd.metering import members
from fabd.queue.house import Caller, House


async def house(request: Request) -> House:
    """The house that this application serves."""
    found: House = request.app.state.house
    return found


TheHouse = Annotated[House, Depends(house)]


def account_of(uid: int) -> str:
    """The name of a Unix account; `#1234` where the system has no name for it."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"


def rights_of(uid: int, settings: ApiSettings, person: str | None = None) -> Caller:
    """What the account with this user id may do. Root and the daemon's own account may do everything."""
    account = account_of(uid)
    administrator = uid in (0, os.getuid()) or account in settings.administrators
    facilitator = administrator or account in settings.facilitators
    return Caller(
        account=account,
        uid=uid,
        administrator=administrator,
        facilitator=facilitator,
        sender=facilitator or account in settings.senders,
        person=person,
    )


async def caller(
    request: Request,
    house: TheHouse,
    fabd_as: Annotated[str | None, Header(description="The facilitator in person: a member's id, URL-encoded.")] = None,
) -> Caller:
    """Whoever sent this request; raises `NotAllowed` when `Fabd-As` names somebody who is no facilitator."""
    person = None if fabd_as is None else unquote(fabd_as)
    if person is not None:
        await _require_facilitator(house, person)
    return rights_of(request.state.peer_uid, house.config.fabd.api, person)


async def _require_facilitator(house: House, person: str) -> None:
    member = await house.store.read(lambda c: members.find(c, person))
    if not member.facilitator:
        raise NotAllowed("api-person-no-facilitator", person=person)


async def facilitator(caller: Annotated[Caller, Depends(caller)]) -> Caller:
    """A caller who may act; raises `NotAllowed` for an account that may only look."""
    if not caller.facilitator:
        raise NotAllowed("api-account-reads-only", account=caller.account)
    return caller


async def sender(caller: Annotated[Caller, Depends(caller)]) -> Caller:
    """A caller who may send jobs; raises `NotAllowed` for an account that may only look."""
    if not caller.sender:
        raise NotAllowed("api-account-reads-only", account=caller.account)
    return caller


def administrator(caller: Annotated[Caller, Depends(caller)]) -> Caller:
    """A caller who may change the house itself; raises `NotAllowed` otherwise."""
    if not caller.administrator:
        raise NotAllowed("api-account-no-administrator", account=caller.account)
    return caller


Facilitator = Annotated[Caller, Depends(facilitator)]
Sender = Annotated[Caller, Depends(sender)]
Administrator = Annotated[Caller, Depends(administrator)]
