"""The real components that some tests need: programs of other people, found on this machine."""

import os
import shutil
from pathlib import Path

import pytest

OCTOPRINT = Path(__file__).parents[1] / ".octoprint" / "bin" / "octoprint"
"""In an environment of its own: see tools/install-octoprint."""
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
"""Debian keeps daemons where the path of an ordinary account does not lead."""


def require(name: str) -> str:
    """The path of the program `name`; skips the test, by that name, where it is not installed.

    Under `FABD_REQUIRE_ALL=1` a skip is a failure: see `conftest`.
    """
    path = shutil.which(name, path=PATH)
    if path is None:
        pytest.skip(f"the real {name} is not installed here")
    return path


def require_octoprint() -> str:
    """The path of the real OctoPrint; skips the test where `tools/install-octoprint .octoprint` has not been run."""
    if not OCTOPRINT.is_file():
        pytest.skip("the real OctoPrint is not installed here")
    return str(OCTOPRINT)
