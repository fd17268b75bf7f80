"""What machines ask of people, and the answers."""

from fastapi import APIRouter

from fabd.api.callers import Facilitator, TheHouse
from fabd.queue import commands, show
from fabd.views import AnswerAsk, PromptView

router = APIRouter(tags=["prompts"])


@router.get("/prompts")
async def prompts(house: TheHouse) -> list[PromptView]:
    """The prompts that nobody answered yet."""
    return await show.prompts(house)


@router.post("/machines/{machine}/answer")
async def answer(house: TheHouse, caller: Facilitator, machine: str, ask: AnswerAsk) -> PromptView:
    """Answer the machine's open prompt."""
    return await commands.answer(house, machine, ask.answer, caller)
