"""Quotes and jobs."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from pydantic import Field

from fabd.api.callers import Facilitator, Sender, TheHouse
from fabd.api.uploads import received
from fabd.queue import commands, intake, show
from fabd.queue.house import Wish
from fabd.views import JobView, QuoteView, View

router = APIRouter(tags=["jobs"])

BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
"""The file's bytes are the request's body; FastAPI sees no such parameter and must be told."""


class Options(View):
    """What somebody wants made of the file in the body. No `member` is a walk-in without a name."""

    title: Annotated[str, Field(min_length=1, max_length=200)]
    member: str | None = None
    payer: str | None = None
    machine: str | None = None
    material: str | None = None
    copies: int = 1

    @property
    def wish(self) -> Wish:
        return Wish(**self.model_dump())


@router.post("/quote", openapi_extra=BODY)
async def quote(request: Request, house: TheHouse, caller: Sender, options: Annotated[Options, Query()]) -> QuoteView:
    """What the file in the body would cost, and whether the member may run it. Changes nothing."""
    async with received(request, house.store.path) as file:
        return await intake.quote(house, file, options.wish, caller)


@router.post("/jobs", status_code=HTTPStatus.CREATED, openapi_extra=BODY)
async def submit(
    request: Request,
    house: TheHouse,
    caller: Sender,
    options: Annotated[Options, Query()],
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> JobView:
    """Make a job of the file in the body. The same `Idempotency-Key` again answers with the same job."""
    async with received(request, house.store.path) as file:
        return await intake.submit(house, file, options.wish, caller, idempotency_key)


@router.get("/jobs")
async def jobs(house: TheHouse, *, everything: Annotated[bool, Query(alias="all")] = False) -> list[JobView]:
    """The jobs that are not over, or with `all` every job."""
    return await show.jobs(house, everything)


@router.get("/jobs/{job}")
async def job(house: TheHouse, job: str) -> JobView:
    return await show.job(house, job)


@router.post("/jobs/{job}/cancel")
async def cancel(house: TheHouse, caller: Facilitator, job: str) -> JobView:
    return await commands.cancel(house, job, caller)


@router.post("/jobs/{job}/hold")
async def hold(house: TheHouse, caller: Facilitator, job: str) -> JobView:
    return await commands.hold(house, job, caller)


@router.post("/jobs/{job}/release")
async def release(house: TheHouse, caller: Facilitator, job: str) -> JobView:
    return await commands.release(house, job, caller)


@router.post("/jobs/{job}/retry")
async def retry(house: TheHouse, caller: Facilitator, job: str) -> JobView:
    return await commands.retry(house, job, caller)
