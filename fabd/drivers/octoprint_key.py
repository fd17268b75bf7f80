"""The key that OctoPrint is spoken to with: from the configuration, from a file, or granted by a person.

"Application Keys Plugin", OctoPrint's manual, bundled plugins: an application asks, OctoPrint's page shows a dialogue to
whoever is logged in, and the application learns the decision by asking again; one that stops asking for 5 s has gone away.
"""

import asyncio
import os
from pathlib import Path

import structlog
from octorest import AuthorizationRequestPollingResult, OctoRest

from fabd.drivers.octoprint_config import OctoprintConfig
from fabd.drivers.octoprint_http import LimitedSession, Refusal
from fabd.drivers.octoprint_rest import in_thread, in_words
from fabd.errors import LinkLost, MachineFault

APPLICATION = "fabd"
ASK_S = 1.0
PATIENCE_S = 25.0
"""How long one connection waits for a person before it says what it waits for; the next connection asks anew."""

log = structlog.get_logger(__name__)


async def key_of(config: OctoprintConfig) -> str:
    """The key. Raises `LinkLost` while nobody has granted one, `MachineFault` where its file cannot be used."""
    if config.api_key is not None:
        return config.api_key.get_secret_value()
    assert config.api_key_file is not None, "the configuration has one or the other"
    key = await asyncio.to_thread(_kept, config.api_key_file)
    if key is not None:
        return key
    key = await _ask_for_key(config)
    await asyncio.to_thread(_keep, config.api_key_file, key)
    log.info("OctoPrint granted a key", url=config.url, file=str(config.api_key_file))
    return key


def _kept(file: Path) -> str | None:
    try:
        return file.read_text("ascii").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise MachineFault("octoprint-key-file-unreadable", file=str(file), detail=str(error)) from error


def _keep(file: Path, key: str) -> None:
    draft = file.with_name(file.name + ".new")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w") as stream:
            stream.write(key + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(file)
    except OSError as error:
        raise MachineFault("octoprint-key-file-unwritable", file=str(file), detail=str(error)) from error


async def _ask_for_key(config: OctoprintConfig) -> str:
    with LimitedSession(config.url, ca_file=config.ca_file, silence_s=config.silence_s) as session:
        octorest = OctoRest(url=config.url, session=session)

        def ask() -> str:
            where: str = octorest.start_authorization_process(APPLICATION)
            # OctoPrint writes the address that it believes to have; we keep to the one that leads there.
            return f"{octorest.url}/plugin/appkeys/request/{where.rsplit('/', 1)[-1]}"

        def decision(request: str) -> str | None:
            try:
                result, key = octorest.poll_auth_request_decision(request)
            except Refusal as refusal:
                if refusal.status == 404:
                    raise LinkLost("octoprint-key-denied", url=config.url) from refusal
                raise
            return str(key) if result is AuthorizationRequestPollingResult.GRANTED else None

        with in_words(config.url, config.silence_s):
            request = await in_thread(ask)
            log.warning("confirm in OctoPrint's page that fabd may use it", url=config.url)
            until_s = asyncio.get_running_loop().time() + PATIENCE_S
            while asyncio.get_running_loop().time() < until_s:
                await asyncio.sleep(ASK_S)
                if (key := await in_thread(lambda: decision(request))) is not None:
                    return key
    raise LinkLost("octoprint-key-unconfirmed", url=config.url)
