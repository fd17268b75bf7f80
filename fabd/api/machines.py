"""Machines, and what people do to them."""

from fastapi import APIRouter

from fabd.api.callers import Facilitator, TheHouse
from fabd.model import Fault
from fabd.queue import commands, show
from fabd.views import CloseAsk, LoadAsk, MachineView, ReadyAsk

router = APIRouter(prefix="/machines", tags=["machines"])

ALL_IS_GOOD = ReadyAsk()


@router.get("")
async def machines(house: TheHouse) -> list[MachineView]:
    return await show.machines(house)


@router.get("/{machine}")
async def machine(house: TheHouse, machine: str) -> MachineView:
    return await show.machine(house, machine)


@router.post("/{machine}/ready")
async def ready(house: TheHouse, caller: Facilitator, machine: str, ask: ReadyAsk = ALL_IS_GOOD) -> MachineView:
    """The machine is cleared and may start again; with `failed` its last piece is no good, and whose fault that is."""
    failed = None if ask.failed is None else Fault(ask.failed)
    return await commands.ready(house, machine, caller, failed)


@router.post("/{machine}/load")
async def load(house: TheHouse, caller: Facilitator, machine: str, ask: LoadAsk) -> MachineView:
    """Somebody loaded this spool, roll or cone."""
    return await commands.load(house, machine, ask.lot, caller)


@router.post("/{machine}/pause")
async def pause(house: TheHouse, caller: Facilitator, machine: str) -> MachineView:
    return await commands.pause(house, machine, caller)


@router.post("/{machine}/resume")
async def resume(house: TheHouse, caller: Facilitator, machine: str) -> MachineView:
    return await commands.resume(house, machine, caller)


@router.post("/{machine}/emergency")
async def emergency(house: TheHouse, caller: Facilitator, machine: str) -> MachineView:
    """Stop the machine now, whatever it does."""
    return await commands.emergency(house, machine, caller)


@router.post("/{machine}/close")
async def close(house: TheHouse, caller: Facilitator, machine: str, ask: CloseAsk) -> MachineView:
    """The machine takes no new job, and says why."""
    return await commands.close(house, machine, ask.why, caller)


@router.post("/{machine}/open")
async def open_(house: TheHouse, caller: Facilitator, machine: str) -> MachineView:
    return await commands.open_(house, machine, caller)
