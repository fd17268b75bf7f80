"""From the command line to the till: the real daemon, a firmware on a pseudo-terminal, a real Mosquitto, a till."""

import asyncio
from pathlib import Path

from fakes.broker import PASSWORD, mosquitto
from fakes.daemon import PRINTER, daemon
from fakes.firmware import Firmware, on_pty
from fakes.till import Till

SAMPLES = Path(__file__).parents[1] / "samples"
PLA_MG_PER_MM = 1.24 * 3.141592653589793 * (1.75 / 2) ** 2


class Odometer(Firmware):
    """Counts the filament of each move that it takes, with code of its own: relative or absolute, G92, retraction."""

    def __init__(self) -> None:
        super().__init__()
        self.absolute = True
        self.e = self.net_mm = self.most_mm = 0.0

    def _take(self, command: str) -> str:
        code, *words = command.split()
        values = {word[0]: float(word[1:]) for word in words if word[0] in "XYZEF" and len(word) > 1}
        if code in ("M82", "G90"):
            self.absolute = True
        elif code in ("M83", "G91"):
            self.absolute = False
        elif code == "G92" and "E" in values:
            self.e = values["E"]
        elif code in ("G0", "G1") and "E" in values:
            step = values["E"] - self.e if self.absolute else values["E"]
            self.e += step
            self.net_mm += step
            self.most_mm = max(self.most_mm, self.net_mm)
        return super()._take(command)


async def test_a_visitors_file_becomes_one_record_at_the_till(tmp_path: Path) -> None:
    firmware = Odometer()
    with mosquitto(tmp_path / "broker") as broker:
        more = f'[mqtt]\nurl = "{broker.url}"\ntills = ["caisse"]\n[metrics]\nlisten = "127.0.0.1:0"\n'
        till = Till(tmp_path / "till.sqlite3", broker.port, "wazemmes", name="caisse", password=PASSWORD)
        till.start()
        try:
            async with (
                on_pty(firmware) as there,
                daemon(tmp_path / "cafe", machines=PRINTER.format(url=there.url), more=more) as cafe,
            ):
                await cafe.json("member", "add", "alice", "--customer", "C-0042")
                await cafe.json("member", "grant", "alice", "printer", "autonomous")
                await cafe.json("machine", "ready", "prusa-1")
                file = SAMPLES / "coin_slic3r.gcode"
                job = await cafe.json("submit", str(file), "--for", "alice", "--yes", "--wait")
                assert job["state"] == "completed"
                (entry,) = await cafe.json("usage", "list")
                assert (await cafe.json("usage", "verify"))["ok"]
                async with asyncio.timeout(20):
                    while not till.held():
                        await asyncio.sleep(0.05)
        finally:
            till.stop()
    assert till.held() == [(1, entry["event_id"], job["total_ttc_cents"])]
    ledger_mg = int(entry["data"]["measured"]["filament_mg"]["qty"])
    assert abs(ledger_mg - firmware.most_mm * PLA_MG_PER_MM) <= 0.001 * ledger_mg
    assert firmware.targets == {"T": 0.0, "B": 0.0}, "the program's own end turned them off"


async def test_a_daemon_that_is_killed_in_mid_print_starts_nothing_by_itself_and_stops_the_machine(
    tmp_path: Path,
) -> None:
    firmware = Odometer()
    taken = asyncio.Event()

    def slowly(line: str) -> str | None:
        if len(firmware.taken) > 200:
            taken.set()
            return ""  # the line is heard, and its `ok` never comes
        return None

    firmware.on = slowly
    async with on_pty(firmware) as there, daemon(tmp_path / "cafe", machines=PRINTER.format(url=there.url)) as cafe:
        await cafe.json("member", "add", "alice")
        await cafe.json("member", "grant", "alice", "printer", "autonomous")
        await cafe.json("machine", "ready", "prusa-1")
        await cafe.json("submit", str(SAMPLES / "coin_slic3r.gcode"), "--for", "alice", "--yes")
        async with asyncio.timeout(30):
            await taken.wait()
        await cafe.kill()
        assert firmware.targets["T"] > 0
        firmware.on = lambda line: None
        firmware.taken.clear()
        await cafe.start()
        job = await cafe.job("1", "pending-held")
        assert job["reasons"][0]["code"] == "host-restarted"
        async with asyncio.timeout(30):
            while firmware.targets["T"] > 0:
                await asyncio.sleep(0.05)
        (entry,) = await cafe.json("usage", "list")
        assert (entry["data"]["outcome"], entry["data"]["total_ttc_cents"]) == ("aborted", 0)
        assert not [line for line in firmware.taken if line.startswith(("G0", "G1"))], "it prints nothing"
        (machine,) = await cafe.json("machine", "list")
        assert "output-area-full" in [reason["code"] for reason in machine["reasons"]]


async def test_sigterm_makes_the_machine_safe_before_the_end(tmp_path: Path) -> None:
    firmware = Odometer()
    half = asyncio.Event()

    def notice(line: str) -> str | None:
        if len(firmware.taken) > 200:
            half.set()
        return None

    firmware.on = notice
    async with on_pty(firmware) as there, daemon(tmp_path / "cafe", machines=PRINTER.format(url=there.url)) as cafe:
        await cafe.json("member", "add", "alice")
        await cafe.json("member", "grant", "alice", "printer", "autonomous")
        await cafe.json("machine", "ready", "prusa-1")
        await cafe.json("submit", str(SAMPLES / "vase_prusaslicer.gcode"), "--for", "alice", "--yes")
        async with asyncio.timeout(30):
            await half.wait()
        assert firmware.targets["T"] > 0
        assert await cafe.stop() == 0
        assert firmware.targets == {"T": 0.0, "B": 0.0}
        await cafe.start()
        job = await cafe.json("job", "show", "1")
        assert (job["state"], job["reasons"][0]["code"]) == ("pending-held", "host-stopped")


async def test_nobody_else_can_read_what_the_daemon_keeps(tmp_path: Path) -> None:
    async with daemon(tmp_path / "cafe", machines="") as cafe:
        await cafe.json("member", "add", "alice", "--name", "Alice")
        kept = [cafe.directory / "store", *(cafe.directory / "store").rglob("*")]
        assert [str(path) for path in kept if path.stat().st_mode & 0o007] == []


async def test_a_reload_takes_what_is_right_and_keeps_the_old_one_otherwise(tmp_path: Path) -> None:
    firmware = Odometer()
    async with on_pty(firmware) as there:
        one = PRINTER.format(url=there.url)
        async with daemon(tmp_path / "cafe", machines=one) as cafe:
            cafe.configure(one + PRINTER.format(url="sim://marlin?seed=9").replace("prusa-1", "prusa-2"))
            await cafe.json("reload")
            assert [machine["id"] for machine in await cafe.json("machine", "list")] == ["prusa-1", "prusa-2"]
            cafe.configure(one.replace('driver = "marlin"', 'driver = "marlinn"'))
            code, _, said = await cafe.fabd("reload")
            assert code == 2
            assert "marlinn" in said
            cafe.configure(one)
            cafe.hang_up()
            async with asyncio.timeout(20):
                while len(await cafe.json("machine", "list")) != 1:
                    await asyncio.sleep(0.1)
