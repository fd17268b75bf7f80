"""Ways to a real OctoPrint: keys and who grants them, rights, TLS, and one that does not answer."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from fabd.drivers import JobLost, LinkLost, MachineFault, Phase
from fabd.drivers.octoprint import Octoprint
from fabd.drivers.octoprint_rest import Rest
from fabd.tasks import end, own
from fakes.gcode import write_program
from fakes.real_octoprint import ANNA_KEY, KEY, WEAK_KEY, RealOctoprint, piece, real_octoprint
from fakes.tls_proxy import own_certificate, tls_proxy
from fakes.trial import TrialAttempt


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealOctoprint]:
    with real_octoprint(tmp_path_factory.mktemp("octoprint")) as there:
        yield there


@pytest.fixture
def octoprint(server: RealOctoprint) -> RealOctoprint:
    server.rest()
    return server


def driver(url: str, **settings: object) -> Octoprint:
    return Octoprint(Octoprint.Config.model_validate({"url": url, "silence_s": 2.0, **settings}))


async def test_a_wrong_key_and_one_without_rights(octoprint: RealOctoprint) -> None:
    with pytest.raises(LinkLost, match="does not take the key"):
        async with driver(octoprint.url, api_key="F" * 32):
            pytest.fail("it connected")
    with pytest.raises(LinkLost) as raised:
        async with driver(octoprint.url, api_key=WEAK_KEY):
            pytest.fail("it connected")
    # This user may not even ask for the version.
    assert raised.value.message.code in ("octoprint-key-refused", "octoprint-rights-missing")


async def test_a_key_that_anna_grants_in_the_page(octoprint: RealOctoprint, tmp_path: Path) -> None:
    file = tmp_path / "key"

    async def grant() -> None:
        while not (pending := octoprint.ask("/api/plugin/appkeys", key=ANNA_KEY)["pending"]):
            await asyncio.sleep(0.1)
        octoprint.ask(f"/plugin/appkeys/decision/{next(iter(pending))}", {"decision": True}, key=ANNA_KEY)

    granting = own(grant(), "grant")
    async with asyncio.timeout(20), driver(octoprint.url, api_key_file=str(file)) as asking:
        assert (await asking.read()).phase is Phase.IDLE
    await granting
    assert octoprint.ask("/api/currentuser", key=file.read_text().strip())["name"] == "anna"


async def test_tls_with_a_private_authority_prints(octoprint: RealOctoprint, tmp_path: Path) -> None:
    certificate, context = own_certificate(tmp_path)
    attempt = TrialAttempt(*write_program(tmp_path, piece(20)))
    async with tls_proxy(octoprint.port, context) as url:
        with pytest.raises(LinkLost, match="not trusted"):
            async with driver(url, api_key=KEY):
                pytest.fail("it connected")
        async with driver(url, api_key=KEY, ca_file=str(certificate)) as there:
            await there.run(attempt)
    assert attempt.last is not None
    assert attempt.last.position == attempt.program.length


async def test_the_file_of_an_attempt_that_is_printed_is_not_replaced(octoprint: RealOctoprint, tmp_path: Path) -> None:
    attempt = TrialAttempt(*write_program(tmp_path, piece(100)))
    async with driver(octoprint.url, api_key=KEY) as there:
        octoprint.upload("fabd-trial-1-K7.gcode", piece(100))
        with pytest.raises(MachineFault) as raised:
            await there.run(attempt)
        assert raised.value.message.code == "octoprint-file-in-use"


async def test_a_print_that_somebody_began_a_moment_before(octoprint: RealOctoprint, tmp_path: Path) -> None:
    attempt = TrialAttempt(*write_program(tmp_path, piece(100)))
    async with driver(octoprint.url, api_key=KEY) as there:
        octoprint.upload("vase.gcode", piece(100))
        with pytest.raises(JobLost, match=r"vase\.gcode"):
            await there.run(attempt)
    assert octoprint.ask("/api/job")["job"]["file"]["path"] == "vase.gcode"


async def test_one_that_hangs_is_a_lost_link_and_its_print_is_found_again(
    octoprint: RealOctoprint, tmp_path: Path
) -> None:
    attempt = TrialAttempt(*write_program(tmp_path, piece(300)))
    async with driver(octoprint.url, api_key=KEY) as there:
        run = own(there.run(attempt), "run")
        while octoprint.state() != "Printing":
            await asyncio.sleep(0.1)
        octoprint.freeze()
        try:
            async with asyncio.timeout(15):
                with pytest.raises(LinkLost, match="did not answer"):
                    await run
        finally:
            octoprint.thaw()
            await end(run)
    async with driver(octoprint.url, api_key=KEY) as there:
        await there.run(attempt)
    assert attempt.last is not None
    assert attempt.last.position == attempt.program.length


async def test_what_octoprint_says_of_files_is_understood(octoprint: RealOctoprint) -> None:
    rest = Rest(octoprint.url, KEY, ca_file=None, silence_s=2.0)
    octoprint.upload("idle.gcode", piece(1), start=False)
    assert "idle.gcode" in await rest.uploads()
    assert await rest.last_print_of("idle.gcode") is None
    await rest.delete("idle.gcode")
    assert "idle.gcode" not in await rest.uploads()
    assert await rest.last_print_of("idle.gcode") is None
    rest.close()
