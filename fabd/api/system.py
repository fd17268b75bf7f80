"""The daemon itself: health, reload, and the stream of what goes on."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from fabd.api.callers import Administrator, TheHouse
from fabd.model import MachineState
from fabd.queue import show
from fabd.queue.house import House
from fabd.tasks import end, own
from fabd.views import HealthView, SnapshotView

router = APIRouter(tags=["system"])

BUSY_S = 1.0
"""While work goes on, progress is worth a snapshot this often, though no row changes."""
IDLE_S = 15.0
"""A sign of life while nothing happens."""
SHORTEST_S = 0.2
"""Many changes at once make one snapshot."""


@router.get("/health")
async def health(request: Request) -> HealthView:
    view: HealthView = await request.app.state.health()
    return view


@router.post("/reload")
async def reload(request: Request, _caller: Administrator) -> HealthView:
    """Take the new configuration, or keep the old one and say why."""
    await request.app.state.reload()
    return await health(request)


@router.get("/watch", response_class=StreamingResponse, responses={200: {"content": {"application/x-ndjson": {}}}})
async def watch(request: Request, house: TheHouse) -> StreamingResponse:
    """A `SnapshotView` on each line: at once, at each change, each second while work goes on."""
    lines = snapshots(house, request.app.state.closing)
    return StreamingResponse(lines, media_type="application/x-ndjson")


async def snapshots(house: House, closing: asyncio.Event) -> AsyncIterator[str]:
    """The lines of `watch`, until `closing`."""
    while not closing.is_set():
        seen = house.store.version
        machines = tuple(await show.machines(house))
        snapshot = SnapshotView(machines=machines, jobs=tuple(await show.jobs(house, everything=False)))
        yield snapshot.model_dump_json() + "\n"
        busy = any(machine.state is MachineState.PROCESSING for machine in machines)
        await _pause(house, closing, seen, BUSY_S if busy else IDLE_S)


async def _pause(house: House, closing: asyncio.Event, seen: int, longest_s: float) -> None:
    waits = [own(closing.wait(), "watch-closing"), own(house.store.changed(seen), "watch-changed")]
    try:
        await asyncio.wait(waits[:1], timeout=SHORTEST_S)
        await asyncio.wait(waits, timeout=longest_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            await end(wait)
