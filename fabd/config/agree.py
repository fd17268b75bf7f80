"""What must agree within and between the files: ids are unique, and every id that is named exists.

Works on the tables as TOML has them, so that a mistake elsewhere in a file hides none here. Values of a wrong type
are passed over: the shapes in `model` report those.
"""

from collections.abc import Iterator, Mapping
from datetime import date

from fabd import clock
from fabd.config.explain import Key, Place, dotted
from fabd.config.read import DEFAULTS, Document, read
from fabd.messages import Message

Files = Mapping[str, Document]
Row = tuple[Key, Mapping[str, object]]
"""One `[[table]]` of a file, with the key that leads to it."""


def problems(files: Files) -> list[Message]:
    """Every disagreement, in no other order than that of the checks below."""
    return [*_duplicates(files), *_shared_wires(files), *_materials(files), *_references(files)]


def _duplicates(files: Files) -> Iterator[Message]:
    for file, table, field in (
        ("machines.toml", "machine", "id"),
        ("materials.toml", "material", "id"),
        ("materials.toml", "lot", "id"),
        ("levels.toml", "level", "id"),
        ("tariff.toml", "tariff", "version"),
        ("tariff.toml", "tariff", "effective_from"),
    ):
        first: dict[str | date, Key] = {}
        for key, row in _rows(files, file, table):
            value = row.get(field)
            if not isinstance(value, str | date):
                continue
            here = (*key, field)
            if value in first:
                yield _message(files, file, here, value, "config-duplicate", first=dotted(first[value]))
            else:
                first[value] = here


def _shared_wires(files: Files) -> Iterator[Message]:
    """Two machines on one wire would each read half of what the device says."""
    first: dict[str, str] = {}
    for key, row in _rows(files, "machines.toml", "machine"):
        settings = row.get("settings")
        url = settings.get("url") if isinstance(settings, dict) else None
        if not isinstance(url, str):
            continue
        wire = _device(url)
        if wire in first:
            here = (*key, "settings", "url")
            yield _message(files, "machines.toml", here, url, "config-wire-shared", other=first[wire])
        else:
            first[wire] = str(row.get("id"))


def _device(url: str) -> str:
    """What a wire's URL leads to: parameters tune a real device, but make another simulated machine."""
    return url if url.startswith("sim:") else url.partition("?")[0]


def _materials(files: Files) -> Iterator[Message]:
    declared: dict[str, str] = {}
    for key, row in _rows(files, "materials.toml", "material"):
        for missing, present in (("diameter_mm", "density_g_cm3"), ("density_g_cm3", "diameter_mm")):
            if present in row and missing not in row:
                here = (*key, missing)
                yield _message(files, "materials.toml", here, None, "config-filament-halves", other=present)
        for part, kind in _texts(row, "default_for"):
            if kind in declared:
                here = (*key, *part)
                yield _message(files, "materials.toml", here, kind, "config-default-twice", other=declared[kind])
            else:
                declared[kind] = str(row.get("id"))


def _references(files: Files) -> Iterator[Message]:
    materials = _declared(files, "materials.toml", "material", "id")
    for key, row in _rows(files, "machines.toml", "machine"):
        yield from _unknown(files, "machines.toml", (key, row), "default_material", "materials.toml", materials)
    for key, row in _rows(files, "materials.toml", "lot"):
        yield from _unknown(files, "materials.toml", (key, row), "material", "materials.toml", materials)
    levels = _declared(files, "levels.toml", "level", "id")
    yield from _unknown(files, "levels.toml", ((), files["levels.toml"].tables or {}), "default", "levels.toml", levels)
    if files["tariff.toml"] == _shipped("tariff.toml"):
        return  # the example prices materials that a café need not have
    families = _declared(files, "materials.toml", "material", "id", "family")
    machines, kinds = _declared(files, "machines.toml", "machine", "id"), _kinds(files)
    for component in _components_in_force(files):
        yield from _unknown(files, "tariff.toml", component, "materials", "materials.toml", families)
        yield from _unknown(files, "tariff.toml", component, "kinds", "machines.toml", kinds)
        yield from _unknown(files, "tariff.toml", component, "machines", "machines.toml", machines)


def _unknown(
    files: Files, file: str, row: Row, field: str, where: str, known: frozenset[str] | None
) -> Iterator[Message]:
    """The ids in `field` of `row` that are not among `known`; `None` where the file that declares them was unreadable."""
    key, table = row
    if known is None:
        return
    for part, name in _texts(table, field):
        if name not in known:
            names = ", ".join(sorted(known)) or "–"
            yield _message(files, file, (*key, *part), name, "config-no-such", where=where, known=names)


def _kinds(files: Files) -> frozenset[str] | None:
    """Kinds that a tariff may price: those of the machines, and those that fabd's own materials are for, machine or not."""
    kinds = _declared(files, "machines.toml", "machine", "kind")
    usual = _declared({"materials.toml": _shipped("materials.toml")}, "materials.toml", "material", "default_for")
    return None if kinds is None else kinds | (usual or frozenset())


def _shipped(file: str) -> Document:
    document, _ = read(DEFAULTS, file)
    return document


def _components_in_force(files: Files) -> Iterator[Row]:
    """The components of today's tariff and of later ones; the earlier are history, and name what was there then."""
    tariffs = _rows(files, "tariff.toml", "tariff")
    dates = [day for _, row in tariffs if type(day := row.get("effective_from")) is date]
    today = max((day for day in dates if day <= clock.now().date()), default=date.min)
    for key, row in tariffs:
        day = row.get("effective_from")
        if type(day) is not date or day >= today:
            yield from (((*key, *part), component) for part, component in _tables(row, "component"))


def _declared(files: Files, file: str, table: str, *fields: str) -> frozenset[str] | None:
    """All that `fields` of the file's `[[table]]`s say; `None` where the file could not be read."""
    if files[file].tables is None:
        return None
    return frozenset(text for _, row in _rows(files, file, table) for field in fields for _, text in _texts(row, field))


def _rows(files: Files, file: str, name: str) -> list[Row]:
    return _tables(files[file].tables or {}, name)


def _tables(table: Mapping[str, object], name: str) -> list[Row]:
    rows = table.get(name)
    if not isinstance(rows, list):
        return []
    return [((name, index), row) for index, row in enumerate(rows) if isinstance(row, dict)]


def _texts(table: Mapping[str, object], name: str) -> list[tuple[Key, str]]:
    """The text under `name`, or each text of the list there, with its key."""
    value = table.get(name)
    if isinstance(value, str):
        return [((name,), value)]
    if not isinstance(value, list):
        return []
    return [((name, index), text) for index, text in enumerate(value) if isinstance(text, str)]


def _message(files: Files, file: str, key: Key, found: object, code: str, **more: str) -> Message:
    place = Place(file=file, tables=files[file].tables or {})
    return Message(code=code, params={**place.params(key, found), **more})
