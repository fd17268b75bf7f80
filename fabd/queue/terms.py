"""What a quote froze, kept whole in the job's row: a reload or an edited file never reprices what waits."""

from pydantic import BaseModel, ConfigDict

from fabd.config.model import Level, Material, Tariff


class Terms(BaseModel):
    """The level and the tariff under which a job was quoted."""

    model_config = ConfigDict(frozen=True)

    level: Level
    tariff: Tariff


class LoadedLot(BaseModel):
    """The material on a machine: what a person loaded, or what it is taken to hold while nobody did."""

    model_config = ConfigDict(frozen=True)

    material: Material
    lot: str | None = None
    is_default: bool = True
