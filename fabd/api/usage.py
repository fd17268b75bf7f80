"""The ledger, as the till sees it."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse

from fabd.api.callers import TheHouse
from fabd.metering import ledger
from fabd.metering.verify import verify as verify_ledger
from fabd.queue.house import House
from fabd.views import EntryView, VerifyView

router = APIRouter(prefix="/usage", tags=["usage"])

PAGE_ENTRIES = 500
LARGEST_SEQ = 2**63 - 1
"""What the store can hold."""


@router.get("")
async def entries(
    house: TheHouse,
    after: Annotated[int, Query(ge=0, le=LARGEST_SEQ)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[EntryView]:
    """Up to `limit` entries whose number is above `after`, in order."""
    return await house.store.read(lambda c: ledger.entries(c, after=after, limit=limit))


@router.get("/export", response_class=StreamingResponse, responses={200: {"content": {"application/jsonl": {}}}})
async def export(house: TheHouse) -> StreamingResponse:
    """All entries as JSON Lines."""
    return StreamingResponse(_pages(house), media_type="application/jsonl")


@router.get("/verify")
async def verify(house: TheHouse) -> VerifyView:
    """Hash the whole ledger again, and say exactly where it breaks."""
    return await house.store.read(verify_ledger)


@router.get("/{seq}")
async def entry(house: TheHouse, seq: Annotated[int, Path(ge=1, le=LARGEST_SEQ)]) -> EntryView:
    return await house.store.read(lambda c: ledger.entry_at(c, seq))


async def _pages(house: House) -> AsyncIterator[str]:
    """A page at a time: the ledger only grows, so the pages fit together although they are read one by one."""
    seen = 0
    while page := await _page(house, seen):
        yield "".join(entry.model_dump_json() + "\n" for entry in page)
        seen = page[-1].seq


async def _page(house: House, after: int) -> list[EntryView]:
    return await house.store.read(lambda c: ledger.entries(c, after=after, limit=PAGE_ENTRIES))
