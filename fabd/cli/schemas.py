"""The schemas that `fabd schema` prints, by name. The rooms that own them are imported when one is asked for."""

from typing import Any

from fabd.errors import NotFound


def find(name: str) -> dict[str, Any]:
    """The schema called `name`; raises `NotFound` with the names that there are."""
    if name == "openapi":
        from fabd.api import app

        return app.describe()
    from fabd.metering import usage_event
    from fabd.reporting import schemas

    if name == "usage":
        return dict(usage_event.schema())
    if name in schemas.SHAPES:
        return schemas.schema(name)
    known = ", ".join(sorted(["openapi", "usage", *schemas.SHAPES]))
    raise NotFound("client-no-schema", name=name, known=known)
