"""The till of the demo: it keeps each usage record once, and says how far it is. It knows nothing but MQTT."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import aiomqtt

SITE = "fab/v1/demo"


@dataclass(slots=True)
class Till:
    """What a till received, each record once, in the order of the ledger."""

    events: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    repeated: int = 0

    async def work(self, host: str, port: int) -> None:
        """Listen until cancelled."""
        async with aiomqtt.Client(host, port, identifier="demo-till") as client:
            await client.subscribe(f"{SITE}/usage", qos=1)
            async for message in client.messages:
                if str(message.topic) == f"{SITE}/usage" and isinstance(message.payload, bytes):
                    await self._take(client, json.loads(message.payload))

    async def has(self, count: int) -> None:
        """Wait until so many records have come."""
        while len(self.events) < count:
            await asyncio.sleep(0.05)

    @property
    def lines(self) -> list[tuple[str, str, str, int]]:
        """Ticket, customer, label and cents of each line."""
        return [
            (event["ticket"], event["customer"] or "-", line["label"], line["ttc_cents"])
            for event in self.events.values()
            for line in event["data"]["lines"]
        ]

    async def _take(self, client: aiomqtt.Client, event: dict[str, Any]) -> None:
        key = (event["source"], event["id"])
        self.repeated += key in self.events
        self.events.setdefault(key, event)
        data = event["data"]
        ack = {"ledger": event["source"].rpartition("/")[2], "seq": data["seq"], "rejected": []}
        await client.publish(f"{SITE}/usage/ack/demo-till", json.dumps(ack), qos=1, retain=True)
