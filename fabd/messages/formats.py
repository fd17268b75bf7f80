"""What the room `formats` says. Codes are keys; never rename one that was released."""

from fabd.messages import N_

SENTENCES: dict[str, str] = {
    # Drawings: HPGL and SVG.
    "drawing-empty": N_("Nothing in this drawing would be cut. Check that its lines are visible, and export it again."),
    "drawing-too-large": N_("The drawing reaches further than {limit_m} m, where no plotter can go. Check its page size and units."),
    "drawing-too-many-points": N_("The drawing has more than {limit} points. Simplify its paths, or cut it in parts."),
    "drawing-dots": N_("Spots where the knife would go down without moving are not cut: {count}."),
    "drawing-blank-before": N_("The first {blank_mm} mm of vinyl before the drawing stay blank, and are counted. Move the drawing to the left edge of its page to save them."),
    "hpgl-not-a-command": N_("At byte {offset} stands {found} where an HPGL command should begin. Export the drawing again as plain HPGL."),
    "hpgl-cut-off": N_("The file ends inside of the command {command} at byte {offset}. It seems to be cut off: export or copy it again."),
    "hpgl-not-a-number": N_("The command {command} at byte {offset} holds {found} where a number should be. Export the drawing again."),
    "hpgl-number-too-large": N_("The command {command} at byte {offset} holds a number beyond {limit}, the largest that HPGL knows. Export the drawing again."),
    "hpgl-odd-coordinates": N_("The command {command} at byte {offset} holds {count} numbers, and coordinates come in pairs. The file seems to be damaged: export or copy it again."),
    "hpgl-wrong-numbers": N_("The command {command} at byte {offset} holds {count} numbers; it takes {expected}. The file seems to be damaged: export or copy it again."),
    "hpgl-unknown": N_("fabd does not know the command {command} at byte {offset}, so it cannot say what would be cut. Export the drawing as plain HPGL, with paths only."),
    "hpgl-text": N_("The command {command} at byte {offset} writes text in the plotter's own letters. Convert text to paths (Inkscape: Path > Object to Path), and export again."),
    "hpgl-fill": N_("The command {command} at byte {offset} fills an area, and a knife cuts lines only. Give the shape an outline instead of a fill, and export again."),
    "hpgl-dashes": N_("The command {command} at byte {offset} makes dashed lines, which would be cut through. Use solid lines, or make each dash a path, and export again."),
    "hpgl-window": N_("The command {command} at byte {offset} clips or turns the drawing on the plotter's own page, whose size is not known. Export without it."),
    "hpgl-scale-unknown": N_("The command SC at byte {offset} scales the drawing to the page of whatever plotter it meets (there is no IP), so its size is not known. Export in plotter units or millimetres, for instance from Inkscape."),
    "hpgl-scale-nonsense": N_("The commands IP and SC (at byte {offset}) give no usable scale. Export in plotter units or millimetres, for instance from Inkscape."),
    "hpgl-no-such-pen": N_("The command SP at byte {offset} asks for pen {pen}; pens are whole numbers from 0 to {limit}. Export the drawing again."),
    "hpgl-pen-away": N_("Up to byte {offset} the file draws after it has put the pen away (SP0). Choose pen 1 in the program that exports it."),
    "hpgl-second-page": N_("Up to byte {offset} the file draws on a second page. Export each page as a file of its own."),
    "hpgl-polygon-mode": N_("The command PM at byte {offset} opens or closes a polygon out of turn. Export the drawing again."),
    "hpgl-in-polygon": N_("The command {command} at byte {offset} stands inside of a polygon, where fabd does not know it. Export the drawing with plain lines."),
    "hpgl-unused": N_("The file also sets speed, force, paper or the like ({commands}). The machine's own settings are used instead."),
    "hpgl-stripped": N_("Questions and handshakes meant for a plotter on a cable ({commands}) are left out."),
    "hpgl-scratch": N_("The first cut is a scratch of {length_mm} mm at the origin, as Inkscape makes to turn the blade. It is cut and counted."),
}
