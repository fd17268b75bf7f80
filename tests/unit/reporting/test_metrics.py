"""What Prometheus reads, from a real queue."""

import asyncio
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from components import require
from fabd import __version__
from fabd.config.model import MetricsSettings, MqttSettings
from fabd.drivers import Attempt, Meter, Phase, Reading
from fabd.errors import ConfigError
from fabd.model import JobState
from fabd.queue import commands, worker
from fabd.queue.house import Wish
from fabd.reporting import metrics
from fabd.reporting.figures import COUNTED
from fabd.reporting.link import Peer
from fabd.reporting.metrics import serving
from fabd.reporting.mqtt import Connection
from fabd.store.schema import till
from fakes.broker import Mosquitto
from fakes.cafe import LEA, Cafe, cafe
from fakes.scripted import Bench, Scripted, ends_well

LISTEN = MetricsSettings(listen="127.0.0.1:0")
KEYRING = Wish(title="keyring.gcode", member="alice")


async def scrape(url: str) -> str:
    async with httpx.AsyncClient() as client:
        answer = await client.get(url)
    assert answer.status_code == 200
    return answer.text


def figure(text: str, name: str, **labels: str) -> float | None:
    """The value of one sample; `None` if there is none."""
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    return None


async def made(c: Cafe, number: int) -> None:
    """One job from the counter to its end."""
    await commands.ready(c.house, "mk4", LEA)
    await c.send(KEYRING)
    await c.until(lambda job: job.state is JobState.COMPLETED, number)


async def test_promtool_finds_nothing_to_say(tmp_path: Path) -> None:
    promtool = require("promtool")
    async with cafe(tmp_path, ("mk3", "mk4")) as c, serving(c.house, LISTEN, Connection(Peer(host="x", port=1))) as url:
        await c.member("alice", "autonomous")
        await commands.close(c.house, "mk3", "broken", LEA)
        await made(c, 1)
        await c.house.store.transaction(
            lambda rows: rows.execute(till.insert().values(name="counter", acknowledged_seq=0)).rowcount
        )
        text = await scrape(url)
    found = subprocess.run([promtool, "check", "metrics"], input=text, text=True, capture_output=True, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


async def test_the_figures_are_those_of_the_rows(tmp_path: Path) -> None:
    async with cafe(tmp_path, ("mk3", "mk4")) as c, serving(c.house, LISTEN, None) as url:
        await c.member("alice", "autonomous")
        await commands.close(c.house, "mk3", "broken", LEA)
        for number in (1, 2):
            await made(c, number)
        await c.send(KEYRING)
        await c.until(lambda job: bool(job.reasons), 3)
        head = (await c.entries())[-1]
        ledger_id = head.source.rpartition("/")[2]
        rows = [{"name": "counter", "book": ledger_id, "acknowledged_seq": 1}, {"name": "bar", "acknowledged_seq": 0}]
        await c.house.store.transaction(
            lambda s: s.execute(till.insert(), [{"book": None} | row for row in rows]).rowcount
        )
        text = await scrape(url)
    mk4 = {"machine": "mk4", "kind": "printer"}
    assert figure(text, "fabd_jobs", state="completed", kind="printer") == 2
    assert figure(text, "fabd_jobs", state="pending", kind="printer") == 1
    assert figure(text, "fabd_filament_fed_meters_total", **mk4) == pytest.approx(2.0)
    assert figure(text, "fabd_machine_time_seconds_total", **mk4) == pytest.approx(1200.0)
    assert figure(text, "fabd_machine_state", **mk4, state="stopped") == 1
    assert figure(text, "fabd_machine_state", **mk4, state="idle") == 0
    assert figure(text, "fabd_machine_connected", **mk4) == 1
    assert figure(text, "fabd_ledger_sequence") == head.seq == 2
    assert figure(text, "fabd_outbox_entries") == 2
    assert figure(text, "fabd_till_lag_entries", till="counter") == 1
    assert figure(text, "fabd_till_lag_entries", till="bar") == 2
    assert figure(text, "fabd_build_info", version=__version__, python=_python()) == 1
    assert figure(text, "fabd_mqtt_connected") is None
    assert "alice" not in text


async def test_counters_count_what_runs_and_never_fall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "CHECKPOINT_S", 0.05)
    halfway, go_on = asyncio.Event(), asyncio.Event()

    async def run(driver: Scripted, attempt: Attempt) -> None:
        attempt.report(Reading(phase=Phase.RUNNING, position=50, used={Meter.FILAMENT_MM: 500.0}))
        halfway.set()
        await go_on.wait()
        await ends_well(driver, attempt)

    seen: list[float] = []
    async with cafe(tmp_path, mk4=Bench(run=run)) as c, serving(c.house, LISTEN, None) as url:

        async def look() -> None:
            found = figure(await scrape(url), "fabd_filament_fed_meters_total", machine="mk4", kind="printer")
            assert found is not None
            seen.append(found)

        async def look_until(metres: float) -> None:
            while not seen or seen[-1] < metres:
                await look()

        await c.member("alice", "autonomous")
        await commands.ready(c.house, "mk4", LEA)
        await c.send(KEYRING)
        await halfway.wait()
        await look_until(0.5)
        go_on.set()
        await c.until(lambda job: job.state is JobState.COMPLETED)
        await look_until(1.0)
        await made(c, 2)
        await look_until(2.0)
        await asyncio.gather(*(look() for _ in range(8)))
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(2.0)


async def test_every_meter_that_a_machine_can_count_is_shown_in_a_base_unit() -> None:
    billed = {Meter.FILAMENT_MG, Meter.ASSISTANCE_S, Meter.FLAT}
    elsewhere = {Meter.TRAVEL_MM, Meter.ENERGY_WH}
    assert COUNTED.keys() | billed | elsewhere == set(Meter)


async def test_whether_the_broker_is_connected_is_shown(broker: Mosquitto, tmp_path: Path) -> None:
    connection = Connection(Peer(host="127.0.0.1", port=broker.port))
    async with cafe(tmp_path) as c, serving(c.house, LISTEN, connection) as url:
        assert figure(await scrape(url), "fabd_mqtt_connected") == 0
        connection.connected = True
        assert figure(await scrape(url), "fabd_mqtt_connected") == 1


async def test_named_tills_are_shown_before_they_ever_spoke(tmp_path: Path) -> None:
    async with cafe(tmp_path) as c:
        mqtt = MqttSettings(url="mqtt://localhost", tills=("counter",))
        c.house.config = c.house.config.model_copy(
            update={"fabd": c.house.config.fabd.model_copy(update={"mqtt": mqtt})}
        )
        await c.member("alice", "autonomous")
        await made(c, 1)
        async with serving(c.house, LISTEN, None) as url:
            assert figure(await scrape(url), "fabd_till_lag_entries", till="counter") == 1


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"GET / HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /metrics?x=1 HTTP/1.1\r\n\r\n", b"200"),
        (b"\r\n\r\n", b"405"),
        (b"\xff\x00 \r\n\r\n", b"405"),
    ],
)
async def test_anything_else_is_answered_shortly(tmp_path: Path, request_: bytes, status: bytes) -> None:
    async with cafe(tmp_path) as c, serving(c.house, LISTEN, None) as url:
        answer = await _exchange(url, request_)
    assert answer.startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize("request_", [b"x" * 20_000, b"GET /metrics"])
async def test_whoever_is_slow_or_loud_is_sent_away(
    tmp_path: Path, request_: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "SCRAPE_S", 0.2)
    async with cafe(tmp_path) as c, serving(c.house, LISTEN, None) as url:
        assert await _exchange(url, request_) == b""


async def test_a_crowd_of_slow_ones_stalls_nobody_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "SCRAPE_S", 0.5)
    async with cafe(tmp_path) as c, serving(c.house, LISTEN, None) as url:
        place = httpx.URL(url)
        crowd = [await asyncio.open_connection(place.host, place.port) for _ in range(3 * metrics.MOST_SCRAPES)]
        ended = await asyncio.gather(*(reader.read() for reader, _ in crowd), return_exceptions=True)
        assert all(one == b"" or isinstance(one, ConnectionError) for one in ended)
        for _, writer in crowd:
            writer.close()
        assert figure(await scrape(url), "fabd_ledger_sequence") == 0


async def test_an_address_that_is_taken_is_told(tmp_path: Path) -> None:
    async with cafe(tmp_path) as c, serving(c.house, LISTEN, None) as url:
        place = httpx.URL(url)
        with pytest.raises(ConfigError, match=f"127.0.0.1:{place.port}"):
            async with serving(c.house, MetricsSettings(listen=f"127.0.0.1:{place.port}"), None):
                pass


async def _exchange(url: str, request: bytes) -> bytes:
    place: Mapping[str, object] = {"host": httpx.URL(url).host, "port": httpx.URL(url).port}
    reader, writer = await asyncio.open_connection(**place)  # type: ignore[arg-type]
    writer.write(request)
    try:
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def _python() -> str:
    return platform.python_version()
