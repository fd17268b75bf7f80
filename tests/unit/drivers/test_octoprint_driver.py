"""The driver against a wire that also does what no real OctoPrint can be made to; the real one is in `tests/contract`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fabd.drivers import JobLost, JobRejected, LinkLost, MachineFault, Meter, Method, Phase, Reading
from fabd.drivers import octoprint as driver_module
from fabd.drivers import octoprint_watch as watch_module
from fabd.drivers.octoprint import Octoprint
from fabd.errors import FabdError
from fabd.tasks import end, own
from fakes.gcode import tower, write_program
from fakes.octoprint import HTML, KEY, Answer, FakeOctoprint
from fakes.tls_proxy import own_certificate, tls_proxy
from fakes.trial import TrialAttempt

OURS = "fabd-trial-1-K7.gcode"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_module, "PROOF_S", 0.5)
    monkeypatch.setattr(driver_module, "PRINTER_S", 1.0)
    monkeypatch.setattr(driver_module, "LOOK_S", 0.05)
    monkeypatch.setattr(watch_module, "POLL_S", 0.05)
    monkeypatch.setattr(watch_module, "SILENT_S", 0.3)


@pytest.fixture
async def fake() -> AsyncIterator[FakeOctoprint]:
    async with FakeOctoprint().open() as there:
        yield there


def octoprint(there: FakeOctoprint, **settings: object) -> Octoprint:
    wanted = {"url": there.url, "api_key": KEY, "silence_s": 1.0, **settings}
    return Octoprint(Octoprint.Config.model_validate(wanted))


@pytest.fixture
def attempt(tmp_path: Path) -> TrialAttempt:
    return TrialAttempt(*write_program(tmp_path, tower()))


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def printing(
    driver: Octoprint, attempt: TrialAttempt, fake: FakeOctoprint
) -> "AsyncIterator[asyncio.Task[None]]":
    """A run whose print is under way."""
    run = own(driver.run(attempt), "run")
    try:
        await until(lambda: (fake.state == "Printing" and fake.file == OURS) or run.done())
        yield run
    finally:
        await end(run)


async def code_of(run: "asyncio.Task[None]", kind: type[FabdError]) -> str:
    async with asyncio.timeout(10):
        with pytest.raises(kind) as raised:
            await run
    return raised.value.message.code


# --- an attempt ------------------------------------------------------------------------------------------


async def test_an_attempt_is_a_file_of_its_own_and_ends_by_octoprints_word(
    fake: FakeOctoprint, attempt: TrialAttempt
) -> None:
    fake.files |= {"fabd-3-K1.gcode": None, "vase.gcode": None}
    half = attempt.program.length // 2
    async with octoprint(fake) as driver, printing(driver, attempt, fake) as run:
        assert attempt.readings[0].phase is Phase.IDLE
        fake.advance(half, 30.0)
        await until(lambda: attempt.readings[-1].position == half)
        reading = attempt.readings[-1]
        assert reading.phase is Phase.RUNNING
        assert reading.method is Method.CURVE
        assert reading.used[Meter.FILAMENT_MM] == pytest.approx(attempt.program.curve.at(half)[Meter.FILAMENT_MM])
        assert reading.used[Meter.MACHINE_S] == 30.0
        fake.print_s = 60.5
        fake.end("PrintDone")
        await run
        assert (await driver.read()).phase is Phase.IDLE
    assert attempt.last is not None
    assert attempt.last.position == attempt.program.length
    total = attempt.program.curve.total[Meter.FILAMENT_MM]
    assert attempt.last.used == {Meter.FILAMENT_MM: pytest.approx(total), Meter.MACHINE_S: 60.5}
    assert sorted(fake.files) == [OURS, "vase.gcode"], "what an earlier attempt left is taken away, and nothing else"


async def test_a_program_that_the_printer_cannot_make_is_not_uploaded(
    fake: FakeOctoprint, attempt: TrialAttempt
) -> None:
    async with octoprint(fake, width_mm=50) as driver:
        with pytest.raises(JobRejected, match="X goes from"):
            await driver.run(attempt)
    assert not fake.files


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (
            Answer(409, b'{"error": "Trying to overwrite file that is being printed"}'),
            MachineFault,
            "octoprint-file-in-use",
        ),
        (Answer(500, b'{"error": "[Errno 28] No space left on device"}'), MachineFault, "octoprint-disk-full"),
        (Answer(507, b""), MachineFault, "octoprint-disk-full"),
        (Answer(415, b'{"error": "Could not upload file, invalid type"}'), JobRejected, "octoprint-file-refused"),
        (Answer(413, HTML, "text/html"), JobRejected, "octoprint-file-refused"),
        (Answer(403, b'{"error": "no"}'), LinkLost, "octoprint-not-allowed"),
        (Answer(201, b'{"done": true}'), LinkLost, "octoprint-unreadable"),
        (Answer(201, b'{"done": true, "effectivePrint": false}'), JobLost, "octoprint-not-begun"),
    ],
)
async def test_an_upload_that_is_not_taken(
    fake: FakeOctoprint, attempt: TrialAttempt, answer: Answer, kind: type[FabdError], code: str
) -> None:
    fake.instead["POST /api/files/local"] = answer
    async with octoprint(fake) as driver:
        assert await code_of(own(driver.run(attempt), "run"), kind) == code
    assert fake.state == "Operational"


async def test_somebody_was_faster(fake: FakeOctoprint, attempt: TrialAttempt) -> None:
    async with octoprint(fake) as driver:
        fake.begin("vase.gcode")
        assert await code_of(own(driver.run(attempt), "run"), JobLost) == "octoprint-busy"
    assert (fake.state, fake.file) == ("Printing", "vase.gcode")


async def test_a_cancel_in_the_page_says_who(fake: FakeOctoprint, attempt: TrialAttempt) -> None:
    async with octoprint(fake) as driver, printing(driver, attempt, fake) as run:
        fake.advance(700, 10.0)
        fake.filepos, fake.print_s = 750, 11.5
        fake.end("PrintCancelled", user="anna")
        with pytest.raises(MachineFault, match="anna"):
            await run
    assert attempt.last is not None
    assert (attempt.last.position, attempt.last.used[Meter.MACHINE_S]) == (750, 11.5)


async def test_a_failed_print_ends_in_octoprints_words(fake: FakeOctoprint, attempt: TrialAttempt) -> None:
    async with octoprint(fake) as driver, printing(driver, attempt, fake) as run:
        fake.end("PrintFailed", reason="error", error="Thermal Runaway")
        with pytest.raises(MachineFault, match="Thermal Runaway"):
            await run


async def test_a_print_that_is_begun_anew_in_the_page_is_ended(fake: FakeOctoprint, attempt: TrialAttempt) -> None:
    async with octoprint(fake) as driver, printing(driver, attempt, fake) as run:
        fake.advance(700, 60.0)
        await until(lambda: attempt.readings[-1].position == 700)
        fake.advance(10, 0.0)
        assert await code_of(run, MachineFault) == "octoprint-begun-anew"


async def test_pauses_from_both_sides(fake: FakeOctoprint, attempt: TrialAttempt) -> None:
    async with octoprint(fake) as driver, printing(driver, attempt, fake):
        await driver.pause()
        assert (await driver.read()).reasons == {"paused"}
        assert (await driver.read()).phase is Phase.PAUSED
        await driver.resume()
        assert (await driver.read()).phase is not Phase.PAUSED
        fake.state = "Paused"
        fake.push()
        await until(lambda: "octoprint-paused-there" in attempt.readings[-1].reasons)
        assert attempt.readings[-1].phase is Phase.PAUSED


# --- adopting --------------------------------------------------------------------------------------------


async def test_it_finds_its_print_again_and_counts_on(fake: FakeOctoprint, attempt: TrialAttempt) -> None:
    attempt.last = Reading(phase=Phase.RUNNING, position=300, used={Meter.MACHINE_S: 20.0})
    fake.begin(OURS, attempt.program.length)
    fake.advance(500, 40.0)
    async with octoprint(fake) as driver, printing(driver, attempt, fake) as run:
        await until(lambda: bool(attempt.readings) and attempt.readings[-1].position == 500)
        fake.end("PrintDone")
        await run
    assert not [request for request in fake.requests if request == "POST /api/files/local"]


@pytest.mark.parametrize(
    ("prints", "kind", "code"),
    [
        ({"success": 1, "failure": 0, "last": {"date": 1, "success": True, "printTime": 90.0}}, None, ""),
        ({"success": 0, "failure": 1, "last": {"date": 1, "success": False}}, MachineFault, "octoprint-failed"),
        (None, JobLost, "octoprint-job-lost"),
    ],
)
@pytest.mark.parametrize("after", ["", "vase.gcode"])
async def test_a_print_that_ended_while_it_was_away(
    fake: FakeOctoprint, attempt: TrialAttempt, prints: object, kind: type[FabdError] | None, code: str, after: str
) -> None:
    attempt.last = Reading(phase=Phase.RUNNING, position=300, used={Meter.MACHINE_S: 20.0})
    if after:
        fake.begin(after)
    fake.files[OURS] = prints
    async with octoprint(fake) as driver:
        run = own(driver.run(attempt), "run")
        if kind is None:
            await run
            assert attempt.last.position == attempt.program.length
            assert attempt.last.used[Meter.MACHINE_S] == 90.0
        else:
            assert await code_of(run, kind) == code
            assert attempt.last.position == 300
    assert fake.file == (after or None)


async def test_an_attempt_that_octoprint_never_got_is_not_begun_behind_everybodys_back(
    fake: FakeOctoprint, attempt: TrialAttempt
) -> None:
    attempt.last = Reading(phase=Phase.PREPARING)
    async with octoprint(fake) as driver:
        assert await code_of(own(driver.run(attempt), "run"), JobLost) == "octoprint-job-lost"
    assert not fake.files


# --- stops -----------------------------------------------------------------------------------------------


async def test_a_stop_cancels_our_print_and_proves_that_it_is_cold(fake: FakeOctoprint, attempt: TrialAttempt) -> None:
    async with octoprint(fake) as driver, printing(driver, attempt, fake) as run:
        fake.targets = {"tool0": 210.0, "bed": 60.0}
        fake.advance(600, 12.0)
        await end(run)
        await driver.stop()
        assert fake.state == "Operational"
        assert fake.targets == {"tool0": 0.0, "bed": 0.0}
        final = await driver.read()
        assert (final.phase, final.position) == (Phase.IDLE, 600)


async def test_a_stop_that_heats_on_is_owed(fake: FakeOctoprint) -> None:
    fake.targets, fake.cold = {"bed": 60.0}, False
    async with octoprint(fake) as driver:
        with pytest.raises(LinkLost, match="Look at the printer"):
            await driver.stop()


async def test_a_stop_has_octoprint_connect_to_a_printer_that_may_be_hot(fake: FakeOctoprint) -> None:
    fake.state, fake.targets = "Offline after error", {"bed": 60.0}
    async with octoprint(fake) as driver:
        with pytest.raises(LinkLost, match="no connection to its printer"):
            await driver.read()
        await driver.stop()
        assert fake.targets == {"bed": 0.0}
        assert (await driver.read()).phase is Phase.IDLE


async def test_a_print_of_somebody_else_is_shown_and_not_touched(fake: FakeOctoprint) -> None:
    fake.begin("vase.gcode")
    async with octoprint(fake) as driver:
        reading = await driver.read()
        assert (reading.phase, reading.reasons) == (Phase.RUNNING, frozenset({"foreign-job"}))
        with pytest.raises(MachineFault, match=r"vase\.gcode"):
            await driver.stop()
        await driver.pause()
    assert fake.state == "Printing"


async def test_an_upload_that_is_stopped_is_never_printed(fake: FakeOctoprint, tmp_path: Path) -> None:
    program, file = write_program(tmp_path, tower(layers=4000))
    attempt = TrialAttempt(program, file)
    async with octoprint(fake) as driver:
        fake.mute = True  # it takes what fits into its sockets, and no more
        run = own(driver.run(attempt), "run")
        await asyncio.sleep(0.2)
        await end(run)
        fake.mute = False
        await driver.stop()
        await asyncio.sleep(0.3)
        assert fake.state == "Operational"


# --- the way to OctoPrint --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "answer", "code"),
    [
        ("GET /api/version", Answer(403, b'{"error": "no"}'), "octoprint-key-refused"),
        ("GET /api/version", Answer(200, HTML, "text/html"), "octoprint-not-json"),
        ("GET /api/version", Answer(502, HTML, "text/html"), "octoprint-proxy"),
        ("GET /api/version", Answer(404, HTML, "text/html"), "octoprint-refuses"),
        ("GET /api/version", Answer(302, b"", location="https://elsewhere.invalid/"), "octoprint-redirects"),
        ("GET /api/version", Answer(200, b'["1.11.8"]'), "octoprint-unreadable"),
        ("GET /api/currentuser", Answer(404, b"{}"), "octoprint-too-old"),
        ("GET /api/job", Answer(200, b'{"state": 7}'), "octoprint-unreadable"),
        ("GET /api/printer", Answer(200, b'{"state": null}'), "octoprint-unreadable"),
        ("POST /api/login", Answer(200, b"{}"), "octoprint-unreadable"),
    ],
)
async def test_what_is_wrong_with_the_way_is_said(fake: FakeOctoprint, path: str, answer: Answer, code: str) -> None:
    fake.instead[path] = answer
    with pytest.raises(LinkLost) as raised:
        async with octoprint(fake):
            pytest.fail("it connected")
    assert raised.value.message.code == code
    assert fake.url in str(raised.value)


async def test_a_key_without_the_rights_says_which(fake: FakeOctoprint) -> None:
    fake.rights = ("STATUS", "FILES_LIST")
    with pytest.raises(LinkLost, match="CONTROL, FILES_UPLOAD"):
        async with octoprint(fake):
            pytest.fail("it connected")


async def test_a_wrong_key(fake: FakeOctoprint) -> None:
    with pytest.raises(LinkLost, match="does not take the key"):
        async with octoprint(fake, api_key="wrong"):
            pytest.fail("it connected")


async def test_nobody_there() -> None:
    with pytest.raises(LinkLost, match="cannot be reached"):
        async with octoprint(FakeOctoprint(port=9)):
            pytest.fail("it connected")


@pytest.mark.parametrize("way", ["mute", "drips"])
async def test_one_that_does_not_answer_is_given_up(fake: FakeOctoprint, way: str) -> None:
    setattr(fake, way, True)
    with pytest.raises(LinkLost, match="did not answer"):
        async with octoprint(fake):
            pytest.fail("it connected")
    setattr(fake, way, False)
    await fake.cut()


@pytest.mark.parametrize(
    "frame", ["garbage", "a{}", "a[1]", 'a[{"current": {}}]', 'a[{"event": 3}]', 'c[3000,"Go away!"]']
)
async def test_garbage_that_is_pushed_is_a_lost_link(fake: FakeOctoprint, attempt: TrialAttempt, frame: str) -> None:
    async with octoprint(fake) as driver, printing(driver, attempt, fake) as run:
        fake.say(frame)
        await code_of(run, LinkLost)
    assert fake.state == "Printing", "the print is not touched"


async def test_a_half_open_link_is_noticed(fake: FakeOctoprint, attempt: TrialAttempt) -> None:
    async with octoprint(fake) as driver, printing(driver, attempt, fake) as run:
        fake.mute = True
        assert await code_of(run, LinkLost) == "octoprint-silent"
        fake.mute = False


async def test_without_push_it_asks(fake: FakeOctoprint, attempt: TrialAttempt) -> None:
    fake.pushes = False
    async with octoprint(fake) as driver, printing(driver, attempt, fake) as run:
        fake.filepos = 500
        await until(lambda: attempt.readings[-1].position == 500)
        fake.end("PrintDone")
        await run
    assert attempt.last is not None
    assert attempt.last.position == attempt.program.length


async def test_with_push_it_asks_for_nothing_while_it_prints(fake: FakeOctoprint, attempt: TrialAttempt) -> None:
    async with octoprint(fake) as driver, printing(driver, attempt, fake):
        await until(lambda: bool(attempt.readings) and attempt.readings[-1].phase is Phase.PREPARING)
        asked = len(fake.requests)
        for filepos in range(100, 1500, 100):
            fake.advance(filepos, filepos / 10)
            await asyncio.sleep(0.1)
        assert len(fake.requests) == asked


async def test_a_path_before_octoprint_is_kept(fake: FakeOctoprint) -> None:
    fake.prefix = "/printers/ender"
    async with octoprint(fake, url=fake.url + "/") as driver:
        await driver.read()
    assert all(request.split(" ")[1].startswith("/printers/ender/") for request in fake.requests)


async def test_a_private_authority(fake: FakeOctoprint, tmp_path: Path) -> None:
    certificate, context = own_certificate(tmp_path)
    async with tls_proxy(fake.port, context) as url:
        async with octoprint(fake, url=url, ca_file=str(certificate)) as driver:
            assert (await driver.read()).phase is Phase.IDLE
        assert any(request.endswith("/websocket") for request in fake.requests), "push goes over TLS too"
        with pytest.raises(LinkLost, match="not trusted"):
            async with octoprint(fake, url=url):
                pytest.fail("it connected")
        with pytest.raises(LinkLost, match=r"missing\.pem"):
            async with octoprint(fake, url=url, ca_file=str(tmp_path / "missing.pem")):
                pytest.fail("it connected")
