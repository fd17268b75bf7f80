"""How much filament E movements take from each spool."""

from math import pi

DEFAULT_DIAMETER_MM = 1.75  # Marlin: DEFAULT_NOMINAL_FILAMENT_DIA (Configuration.h)
MAX_TOOL = 99


class Extrusion:
    """The E axis and the odometer of each tool.

    What is counted is the length that leaves the spool net: each tool's E movements are added up with their sign,
    whatever `G92` says, scaled by `M221` (flow) and `M200` (cubic millimetres); used is the highest sum reached so
    far, so that retractions and their recovery cancel out. The E position is one for all tools, as in Marlin.
    """

    __slots__ = ("_diameters_mm", "_flows", "_mm_per_unit", "_nets_mm", "_peaks_mm", "position", "tool", "volumetric")

    def __init__(self) -> None:
        self.position = 0.0
        self.tool = 0
        self.volumetric = False
        self._nets_mm = {0: 0.0}
        self._peaks_mm = {0: 0.0}
        self._flows: dict[int, float] = {}
        self._diameters_mm: dict[int, float] = {}
        self._mm_per_unit = 1.0

    @property
    def net_mm(self) -> float:
        """The sum of the active tool's movements, with their sign."""
        return self._nets_mm[self.tool]

    @property
    def used_mm(self) -> float:
        """Filament used, all tools together. Never falls."""
        return sum(self._peaks_mm.values())

    @property
    def tools(self) -> tuple[int, ...]:
        """The tools that used filament, in order."""
        return tuple(sorted(tool for tool, peak_mm in self._peaks_mm.items() if peak_mm > 0))

    def move(self, distance: float) -> float:
        """Move E by `distance`, in millimetres or cubic millimetres; returns the length of filament moved, in mm."""
        self.position += distance
        moved_mm = distance * self._mm_per_unit
        self._nets_mm[self.tool] = net_mm = self._nets_mm[self.tool] + moved_mm
        self._peaks_mm[self.tool] = max(self._peaks_mm[self.tool], net_mm)
        return moved_mm

    def select(self, tool: int) -> None:
        """`T`. Raises `ValueError` for a tool that no machine has."""
        if not 0 <= tool <= MAX_TOOL:
            raise ValueError("no such tool")
        self.tool = tool
        self._nets_mm.setdefault(tool, 0.0)
        self._peaks_mm.setdefault(tool, 0.0)
        self._rescale()

    def set_flow(self, tool: int, factor: float) -> None:
        """`M221`: 1.0 is as sliced."""
        self._flows[tool] = factor
        self._rescale()

    def set_diameter(self, tool: int, diameter_mm: float) -> None:
        """`M200 D`: from now on E counts cubic millimetres of a filament this thick; 0 turns it off."""
        if diameter_mm > 0:
            self._diameters_mm[tool] = diameter_mm
        self.set_volumetric(diameter_mm > 0)

    def set_volumetric(self, on: bool) -> None:
        """`M200 S`: whether E counts cubic millimetres."""
        self.volumetric = on
        self._rescale()

    def _rescale(self) -> None:
        self._mm_per_unit = self._flows.get(self.tool, 1.0)
        if self.volumetric:
            radius_mm = self._diameters_mm.get(self.tool, DEFAULT_DIAMETER_MM) / 2
            self._mm_per_unit /= pi * radius_mm * radius_mm
