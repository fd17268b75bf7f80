"""The command line: presentation only, over `fabd.client`. What needs the daemon's rooms is imported when it is asked for."""

import sys
from collections.abc import Sequence


def main() -> None:
    """The entry point of the command `fabd`."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Carry out one command line; returns its exit code, see `fabd.cli.exits`. Nothing ends in a traceback."""
    from fabd.cli import app

    try:
        return app.build()(list(arguments), prog_name="fabd", standalone_mode=False) or 0
    except Exception as error:  # noqa: BLE001  # the boundary of the command: whatever went wrong is told in a sentence
        from fabd.cli import failures

        return failures.tell(error, as_json="--json" in arguments)
