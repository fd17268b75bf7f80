"""The daemon itself: `fabd serve`, `check`, `reload`, `schema`, `demo`. Its rooms are imported only here, when asked for."""

from pathlib import Path
from typing import Annotated

import typer

from fabd.cli import screen
from fabd.cli.desk import Desk, verb
from fabd.i18n import _, ngettext

ConfigDirectory = Annotated[
    Path, typer.Option("--config", metavar="DIR", help=_("The directory that holds fabd.toml."), show_default=True)
]
ETC = Path("/etc/fabd")


def add_to(app: typer.Typer) -> None:
    verb(app, "serve", serve, help=_("Run the daemon."))
    verb(app, "check", check, help=_("Say everything that is wrong with a configuration."))
    verb(app, "reload", reload, help=_("Have the daemon take its new configuration, or say why it keeps the old one."))
    verb(app, "schema", schema, help=_("Print the JSON Schema of a message, or the interface as OpenAPI."))
    verb(app, "demo", demo, help=_("A café with three simulated machines, from the file to the till."))


def serve(_desk: Desk, config: ConfigDirectory = ETC) -> int:
    from fabd import daemon

    return daemon.serve(config)


def check(desk: Desk, config: ConfigDirectory = ETC) -> None:
    from fabd.drivers.registry import load_configuration

    found = load_configuration(config)
    versions = [tariff.version for tariff in found.tariffs]
    if desk.as_json:
        screen.print_data(
            {"ok": True, "machines": len(found.machines), "materials": len(found.materials), "tariffs": versions}
        )
        return
    count = len(found.machines)
    told = ngettext("{path}: complete, with {count} machine.", "{path}: complete, with {count} machines.", count)
    screen.out().print(told.format(path=config, count=count))
    if "example" in versions:
        screen.out().print(_("The prices are those of the example tariff: write tariff.toml before you bill anybody."))


def reload(desk: Desk) -> None:
    with desk.daemon() as daemon:
        view = daemon.reload()
    desk.show(view, lambda: _("The daemon has taken its configuration."))


def schema(
    _desk: Desk,
    name: Annotated[str, typer.Argument(metavar="NAME", help=_("usage, openapi, ..."), show_default=False)],
) -> None:
    from fabd.cli.schemas import find

    screen.print_data(find(name))


def demo(
    desk: Desk,
    keep: Annotated[
        bool, typer.Option("--keep", help=_("Leave everything running, and say how to talk to it."))
    ] = False,
) -> int:
    from fabd import demo as show

    return show.run(keep, desk.as_json)
