"""A till that knows nothing of fabd but the contract: paho and SQLite.

It holds each event once, by the unique index on (source, id); it acknowledges to the broker only what it has committed,
and tells fabd by its own topic how far it is; and it asks for what the head shows that it missed.
"""

import json
import sqlite3
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

TABLE = """
CREATE TABLE IF NOT EXISTS line (
  source TEXT NOT NULL, id TEXT NOT NULL, ledger TEXT NOT NULL, seq INTEGER NOT NULL, total_ttc_cents INTEGER NOT NULL,
  event TEXT NOT NULL, UNIQUE (source, id), UNIQUE (ledger, seq))
"""
LONGEST_ABSENCE_S = 30 * 24 * 3600


class Till:
    """One till. `start` and `stop` as often as you like: what it holds is in its database."""

    def __init__(
        self,
        database: Path,
        port: int,
        site: str,
        *,
        name: str = "counter",
        password: str | None = None,
        protocol: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv311,
    ) -> None:
        self.name = name
        self.received = 0
        """How many events arrived, the repeated ones too."""
        self._database = database
        self._port = port
        self._root = f"fab/v1/{site}"
        self._password = password
        self._protocol = protocol
        self._complete: dict[str, int] = {}
        """Up to which number nothing of a ledger is missing."""
        with self._open() as held:
            held.execute(TABLE)
        held.close()

    def start(self) -> None:
        """Connect, and go on where we were; paho reconnects by itself."""
        mqtt5 = self._protocol == MQTTProtocolVersion.MQTTv5
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"till-{self.name}",  # always the same: the broker keeps what comes while we are away
            clean_session=None if mqtt5 else False,
            protocol=self._protocol,
            manual_ack=True,
        )
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.reconnect_delay_set(min_delay=1, max_delay=2)
        if self._password is not None:
            client.username_pw_set("till", self._password)
        if mqtt5:
            session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            session.SessionExpiryInterval = LONGEST_ABSENCE_S
            client.connect_async("127.0.0.1", self._port, clean_start=False, properties=session)
        else:
            client.connect_async("127.0.0.1", self._port)
        client.loop_start()
        self._client = client

    def stop(self) -> None:
        """Switch it off."""
        self._client.disconnect()
        self._client.loop_stop()
        del self._client  # paho closes its last descriptors when nobody holds it any more

    def held(self) -> list[tuple[int, str, int]]:
        """Sequence number, id and total of every line, in the order in which they came."""
        with self._open() as held:
            rows = held.execute("SELECT seq, id, total_ttc_cents FROM line ORDER BY rowid").fetchall()
        held.close()
        return rows

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._database, timeout=10)

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if not reason.is_failure:
            client.subscribe([(f"{self._root}/usage", 1), (f"{self._root}/usage/head", 1)])

    def _on_message(self, client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        with self._open() as held:
            if message.topic.endswith("/head"):
                self._ask_for_missing(held, message.payload)
            else:
                self._take(held, message.payload)
        held.close()
        client.ack(message.mid, message.qos)  # after the commit: a till that dies before it hears the event again

    def _take(self, held: sqlite3.Connection, payload: bytes | bytearray) -> None:
        self.received += 1
        event = json.loads(payload)
        data, ledger = event["data"], event["source"].rpartition("/")[2]
        held.execute(
            "INSERT INTO line VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (source, id) DO NOTHING",
            (event["source"], event["id"], ledger, data["seq"], data["total_ttc_cents"], payload.decode()),
        )
        held.commit()
        ack = {"ledger": ledger, "seq": self._complete_until(held, ledger), "rejected": []}
        self._client.publish(f"{self._root}/usage/ack/{self.name}", json.dumps(ack), qos=1, retain=True)

    def _ask_for_missing(self, held: sqlite3.Connection, payload: bytes | bytearray) -> None:
        if payload:
            head = json.loads(payload)
            have = self._complete_until(held, head["ledger"])
            if have < head["seq"]:
                request = {"ledger": head["ledger"], "from": have + 1, "to": head["seq"]}
                self._client.publish(f"{self._root}/usage/replay", json.dumps(request), qos=1)

    def _complete_until(self, held: sqlite3.Connection, ledger: str) -> int:
        seq = self._complete.get(ledger, 0)
        while held.execute("SELECT 1 FROM line WHERE ledger = ? AND seq = ?", (ledger, seq + 1)).fetchone():
            seq += 1
        self._complete[ledger] = seq
        return seq
