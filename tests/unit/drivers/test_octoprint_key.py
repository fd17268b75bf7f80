"""Where the key comes from: the configuration, its file, or a person who grants it in OctoPrint's page."""

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from fabd.drivers import LinkLost, MachineFault, Phase
from fabd.drivers import octoprint_key as key_module
from fabd.drivers.octoprint import Octoprint
from fabd.drivers.octoprint_config import OctoprintConfig
from fabd.drivers.registry import load_configuration
from fabd.errors import ConfigError
from fakes.octoprint import KEY, Answer, FakeOctoprint


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_module, "ASK_S", 0.05)
    monkeypatch.setattr(key_module, "PATIENCE_S", 0.3)


@pytest.fixture
async def fake() -> AsyncIterator[FakeOctoprint]:
    async with FakeOctoprint(prefix="/ender").open() as there:
        yield there


def asking(there: FakeOctoprint, file: Path) -> Octoprint:
    return Octoprint(OctoprintConfig.model_validate({"url": there.url, "api_key_file": str(file)}))


async def test_a_key_in_a_file(fake: FakeOctoprint, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    async with asking(fake, file) as driver:
        assert (await driver.read()).phase is Phase.IDLE
    assert not [request for request in fake.requests if "appkeys" in request]


async def test_a_key_that_a_person_grants_is_kept(fake: FakeOctoprint, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.touch()

    async def grant() -> None:
        await asyncio.sleep(0.1)
        fake.decision = Answer(200, b'{"api_key": "' + KEY.encode() + b'"}')

    granting = asyncio.create_task(grant())
    async with asking(fake, file):
        pass
    await granting
    assert file.read_text().strip() == KEY
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    fake.decision = Answer(404, b"{}")
    async with asking(fake, file):
        pass


async def test_nobody_grants_it(fake: FakeOctoprint, tmp_path: Path) -> None:
    with pytest.raises(LinkLost, match=f"Open {fake.url} in a browser"):
        async with asking(fake, tmp_path / "key"):
            pytest.fail("it connected")
    assert not (tmp_path / "key").exists()


async def test_somebody_denies_it(fake: FakeOctoprint, tmp_path: Path) -> None:
    fake.decision = Answer(404, b"{}")
    with pytest.raises(LinkLost, match="denied"):
        async with asking(fake, tmp_path / "key"):
            pytest.fail("it connected")


async def test_a_file_that_cannot_be_read_or_written(fake: FakeOctoprint, tmp_path: Path) -> None:
    with pytest.raises(MachineFault, match="cannot be read"):
        async with asking(fake, tmp_path):
            pytest.fail("it connected")
    fake.decision = Answer(200, b'{"api_key": "' + KEY.encode() + b'"}')
    with pytest.raises(MachineFault, match="cannot be written"):
        async with asking(fake, tmp_path / "no-such-folder" / "key"):
            pytest.fail("it connected")


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"url": "http://octopi.local"}, "octoprint-wants-key"),
        ({"url": "http://octopi.local", "api_key": "x", "api_key_file": "/x"}, "octoprint-wants-key"),
        ({"url": "octopi.local", "api_key": "x"}, "octoprint-wants-url"),
        ({"url": "ftp://octopi.local", "api_key": "x"}, "octoprint-wants-url"),
        ({"url": "http://anna:secret@octopi.local", "api_key": "x"}, "octoprint-wants-url"),
        ({"url": "http://octopi.local:99999", "api_key": "x"}, "octoprint-wants-url"),
        ({"url": "http://octopi.local", "api_key_file": "key"}, "octoprint-wants-path"),
        ({"url": "http://octopi.local", "api_key": "x", "ca_file": "ca.pem"}, "octoprint-wants-path"),
    ],
)
def test_wrong_settings_are_refused_in_words(settings: dict[str, str], code: str) -> None:
    with pytest.raises(ValidationError) as raised:
        OctoprintConfig.model_validate(settings)
    assert code in [error["type"] for error in raised.value.errors()]


def test_a_wrong_configuration_does_not_show_its_key(tmp_path: Path) -> None:
    (tmp_path / "fabd.toml").write_text('[site]\nid = "x"\nname = "x"\n')
    (tmp_path / "machines.toml").write_text(
        '[[machine]]\nid = "o"\nname = "o"\nkind = "printer"\ndriver = "octoprint"\n'
        '[machine.settings]\nurl = "http://octopi.local"\napi_key = "TOPSECRET"\napi_key_file = "/x"\n'
    )
    with pytest.raises(ConfigError) as raised:
        load_configuration(tmp_path)
    assert "either api_key or api_key_file" in str(raised.value)
    assert "TOPSECRET" not in str(raised.value)
