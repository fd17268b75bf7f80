"""The client is synchronous; here it is called in a thread, one call at a time."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from fabd.client import Client

T = TypeVar("T")


class Call:
    """`await call(lambda client: client.jobs())`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._turn = asyncio.Lock()

    async def __call__(self, what: Callable[[Client], T]) -> T:
        async with self._turn:
            return await asyncio.to_thread(what, self._client)
