"""The settings of a printer behind OctoPrint."""

from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from fabd.config.model import refused
from fabd.drivers.printer_limits import PrinterLimits


def check_octoprint_url(url: str) -> str:
    """`url` itself, without a slash at its end, if it leads to a web server; a path before OctoPrint is allowed."""
    parts = urlsplit(url)
    try:
        complete = parts.hostname is not None and parts.port != 0
    except ValueError as error:
        raise refused("octoprint-wants-url") from error
    if parts.scheme not in ("http", "https") or not complete or parts.username or parts.query or parts.fragment:
        raise refused("octoprint-wants-url")
    return url.rstrip("/")


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise refused("octoprint-wants-path")
    return path


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]


class OctoprintConfig(PrinterLimits):
    """One OctoPrint, and the printer that it drives."""

    url: Annotated[str, AfterValidator(check_octoprint_url)]
    """Where a browser finds it: `http://octopi.local`, `https://cafe.example/printer-1`."""
    api_key: SecretStr | None = None
    """An application key of an OctoPrint user who may print. Or:"""
    api_key_file: AbsolutePath | None = None
    """A file that holds the key. While it is missing or empty, fabd asks OctoPrint for a key, which a person grants in
    OctoPrint's page; fabd then writes the file."""
    ca_file: AbsolutePath | None = None
    """The certificates, in PEM, of the only authorities that are trusted; without it, the public ones that certifi lists."""
    silence_s: Annotated[float, Field(ge=1, le=300, allow_inf_nan=False)] = 8.0
    """How long OctoPrint may take to answer before it counts as gone."""

    @model_validator(mode="after")
    def _has_one_key(self) -> Self:
        if (self.api_key is None) == (self.api_key_file is None):
            raise refused("octoprint-wants-key")
        return self
