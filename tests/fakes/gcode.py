"""Small pieces of G-code for tests, with their programs."""

from pathlib import Path

from fabd.drivers import Program
from fabd.formats.gcode import Gcode


def tower(layers: int = 12, corners: int = 8) -> bytes:
    """A square tower: heated, homed, with retractions, resets of E and comments; heaters off at the end."""
    lines = ["; a tower", "M140 S60", "M104 S200", "G28", "M190 S60", "M109 S200", "G21", "G90", "M82", "G92 E0"]
    e = 0.0
    for layer in range(layers):
        lines += [
            f";LAYER:{layer}",
            f"G1 Z{0.2 + 0.2 * layer:.2f} F600",
            f"G1 E{e + 2:.4f} F2400" if layer else "G1 E2",
        ]
        e += 2
        for corner in range(corners):
            x, y = 100 + 20 * (corner % 4 in (1, 2)), 100 + 20 * (corner % 4 in (2, 3))
            e += 0.75
            lines.append(f"G1 X{x} Y{y} E{e:.4f} F1800")
        e -= 2
        lines += [f"G1 E{e:.4f} F2400", "M105", "G92 E0", "", "M106 S255 ; fan"]
        e = 0.0
    lines += ["M107", "M104 S0", "M140 S0", "G28 X0", "M84", "; the end"]
    return "\n".join(lines).encode() + b"\n"


def write_program(directory: Path, data: bytes, name: str = "piece.gcode") -> tuple[Program, Path]:
    """The file, and what the analysis says of it."""
    file = directory / name
    file.write_bytes(data)
    return Gcode().analyse(data, name).program, file
