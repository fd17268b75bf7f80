"""Brings a store's schema up to date. Alembic is loaded only when there is something to do."""

from pathlib import Path

import sqlalchemy as sa

from fabd.errors import StoreError

HEAD = "0001"
"""The newest revision under `migrations/versions`; a test keeps it so."""


def bring_up_to_date(engine: sa.Engine) -> None:
    """Migrate the schema to `HEAD`; raises `StoreError` for a store that a newer fabd wrote."""
    found = revision(engine)
    if found == HEAD:
        return
    if found is not None and found > HEAD:
        raise StoreError("store-too-new", found=found, known=HEAD)
    upgrade(engine, HEAD)


def revision(engine: sa.Engine) -> str | None:
    """The revision that the store is at; `None` for a new one."""
    with engine.connect().execution_options(fabd_reads=True) as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(engine: sa.Engine, target: str) -> None:
    """Run the migrations up to `target` in one transaction: all of them, or none."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, target)
