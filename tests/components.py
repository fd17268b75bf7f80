"""The real components that some tests need: programs of other people, found on this machine."""

import os
import shutil

import pytest

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
