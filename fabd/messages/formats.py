"""What the room `formats` says. Codes are keys; never rename one that was released."""

from fabd.messages import N_

SENTENCES: dict[str, str] = {
    # Drawings: HPGL and SVG.
    "drawing-empty": N_("Nothing in this drawing would be cut. Check that its lines are visible, and export it again."),
    "drawing-too-large": N_(
        "The drawing reaches further than {limit_m} m, where no plotter can go. Check its page size and units."
    ),
    "drawing-too-many-points": N_("The drawing has more than {limit} points. Simplify its paths, or cut it in parts."),
    "drawing-dots": N_("Spots where the knife would go down without moving are not cut: {count}."),
    "drawing-blank-before": N_(
        "The first {blank_mm} mm of vinyl before the drawing stay blank, and are counted. Move the drawing to the left edge of its page to save them."
    ),
    "hpgl-not-a-command": N_(
        "At byte {offset} stands {found} where an HPGL command should begin. Export the drawing again as plain HPGL."
    ),
    "hpgl-cut-off": N_(
        "The file ends inside of the command {command} at byte {offset}. It seems to be cut off: export or copy it again."
    ),
    "hpgl-not-a-number": N_(
        "The command {command} at byte {offset} holds {found} where a number should be. Export the drawing again."
    ),
    "hpgl-number-too-large": N_(
        "The command {command} at byte {offset} holds a number beyond {limit}, the largest that HPGL knows. Export the drawing again."
    ),
    "hpgl-odd-coordinates": N_(
        "The command {command} at byte {offset} holds {count} numbers, and coordinates come in pairs. The file seems to be damaged: export or copy it again."
    ),
    "hpgl-wrong-numbers": N_(
        "The command {command} at byte {offset} holds {count} numbers; it takes {expected}. The file seems to be damaged: export or copy it again."
    ),
    "hpgl-unknown": N_(
        "fabd does not know the command {command} at byte {offset}, so it cannot say what would be cut. Export the drawing as plain HPGL, with paths only."
    ),
    "hpgl-text": N_(
        "The command {command} at byte {offset} writes text in the plotter's own letters. Convert text to paths (Inkscape: Path > Object to Path), and export again."
    ),
    "hpgl-fill": N_(
        "The command {command} at byte {offset} fills an area, and a knife cuts lines only. Give the shape an outline instead of a fill, and export again."
    ),
    "hpgl-dashes": N_(
        "The command {command} at byte {offset} makes dashed lines, which would be cut through. Use solid lines, or make each dash a path, and export again."
    ),
    "hpgl-window": N_(
        "The command {command} at byte {offset} clips or turns the drawing on the plotter's own page, whose size is not known. Export without it."
    ),
    "hpgl-scale-unknown": N_(
        "The command SC at byte {offset} scales the drawing to the page of whatever plotter it meets (there is no IP), so its size is not known. Export in plotter units or millimetres, for instance from Inkscape."
    ),
    "hpgl-scale-nonsense": N_(
        "The commands IP and SC (at byte {offset}) give no usable scale. Export in plotter units or millimetres, for instance from Inkscape."
    ),
    "hpgl-no-such-pen": N_(
        "The command SP at byte {offset} asks for pen {pen}; pens are whole numbers from 0 to {limit}. Export the drawing again."
    ),
    "hpgl-pen-away": N_(
        "Up to byte {offset} the file draws after it has put the pen away (SP0). Choose pen 1 in the program that exports it."
    ),
    "hpgl-second-page": N_(
        "Up to byte {offset} the file draws on a second page. Export each page as a file of its own."
    ),
    "hpgl-polygon-mode": N_(
        "The command PM at byte {offset} opens or closes a polygon out of turn. Export the drawing again."
    ),
    "hpgl-in-polygon": N_(
        "The command {command} at byte {offset} stands inside of a polygon, where fabd does not know it. Export the drawing with plain lines."
    ),
    "hpgl-unused": N_(
        "The file also sets speed, force, paper or the like ({commands}). The machine's own settings are used instead."
    ),
    "hpgl-stripped": N_("Questions and handshakes meant for a plotter on a cable ({commands}) are left out."),
    "hpgl-scratch": N_(
        "The first cut is a scratch of {length_mm} mm at the origin, as Inkscape makes to turn the blade. It is cut and counted."
    ),
    "svg-not-xml": N_("This is not a readable SVG file: {detail}, on line {line}. Save the drawing again."),
    "svg-encoding": N_(
        "The characters of this SVG file are in an encoding that fabd does not read. Save the drawing in UTF-8."
    ),
    "svg-no-drawing": N_(
        "This is XML, but its root is {element} and not an SVG drawing. Save the drawing as plain SVG."
    ),
    "svg-entity": N_(
        "This SVG file declares the entity {name}, which is a way to hide very large drawings. Save it as plain SVG (in Inkscape: Save As > Plain SVG)."
    ),
    "svg-no-size": N_(
        "The drawing does not say how large it is: its {attribute} is {found}. Set the page size in millimetres (in Inkscape: File > Document Properties) and save again."
    ),
    "svg-bad-attribute": N_(
        "The {element} with id {id} has an attribute {attribute} that cannot be read: {value}. Open the drawing in Inkscape and save it again as plain SVG."
    ),
    "svg-style": N_(
        "The drawing's style sheet cannot be followed with certainty at: {found}. Save the drawing as plain SVG, with presentation attributes instead of style sheets."
    ),
    "svg-text": N_(
        "The drawing holds text ({text}, id {id}), which depends on the fonts of a computer. Convert it to a path (in Inkscape: Path > Object to Path) and save again."
    ),
    "svg-image": N_(
        "The drawing holds a picture made of dots (id {id}), and a knife needs lines. Trace it (in Inkscape: Path > Trace Bitmap), remove the picture, and save again."
    ),
    "svg-element": N_(
        "The drawing holds something that fabd cannot cut with certainty: {element}. Convert it to paths (in Inkscape: Path > Object to Path; Edit > Clone > Unlink Clone) and save again."
    ),
    "svg-use": N_(
        "A clone in the drawing points to {href}, which is not in the file. Unlink the clones (in Inkscape: Edit > Clone > Unlink Clone) and save again."
    ),
    "svg-clipped": N_(
        "The {element} with id {id} is partly hidden by a {by}, and a knife would cut what is hidden. Release it (in Inkscape: Object > Clip or Mask > Release) or cut it to shape (Path > Intersection), and save again."
    ),
    "svg-dashes": N_(
        "The {element} with id {id} has a dashed line, which would be cut through. Make the line solid, or make each dash a path, and save again."
    ),
    "svg-too-many-elements": N_("The drawing shows more than {limit} objects, counting each clone. Simplify it."),
    "svg-too-deep": N_(
        "The drawing's groups and clones are nested more than {limit} deep. Ungroup them, and save again."
    ),
    "svg-unseen": N_("Shapes that cannot be seen (hidden, or with neither fill nor line) are not cut: {count}."),
    "svg-markers": N_(
        "Arrowheads and other markers are not cut, on this number of shapes: {count}. Convert them to paths if they should be."
    ),
    "svg-pixels": N_(
        "The drawing's size is in pixels, which are taken as 96 to the inch: the page is {width_mm} x {height_mm} mm. Set millimetres in the drawing if that is wrong."
    ),
    # Embroidery.
    "stitches-unknown": N_(
        "This is no embroidery design that fabd reads ({languages}), or it is damaged at its beginning. Export it again."
    ),
    "stitches-cut-off": N_(
        "The design is cut off: its own header promises more than the file holds ({found}). Export or copy it again."
    ),
    "stitches-damaged": N_(
        "The design is damaged: at byte {offset} stands a command that no machine knows ({found}). Export or copy it again."
    ),
    "stitches-unreadable": N_(
        "The {language} design is damaged and cannot be read ({detail}). Export or copy it again."
    ),
    "stitches-none": N_("The design holds no stitch. Export it again."),
    "stitches-too-many": N_("The design is larger than {limit_mb} MiB. Split it into parts."),
    "stitches-too-large": N_(
        "The design fills {width_mm} x {height_mm} mm, and no hoop is larger than {limit_mm} mm. The file seems to be damaged: export or copy it again."
    ),
    "stitches-no-colours": N_(
        "{language} files name no colours. Say at the machine which thread each of the {threads} part(s) is sewn with."
    ),
    "stitches-colours-differ": N_(
        "The file's header says {said} changes of colour, the stitches hold {found}. The stitches count. Look at the design before you sew it."
    ),
    "stitches-size-differs": N_(
        "The file's header says {said_width_mm} x {said_height_mm} mm, the stitches fill {width_mm} x {height_mm} mm. The stitches count. Look at the design before you sew it."
    ),
    # G-code.
    "gcode-binary": N_(
        "Line {line} of the G-code holds bytes that are no text. The file is damaged, or it is no G-code: export or copy it again."
    ),
    "gcode-line-too-long": N_(
        "Line {line} of the G-code is longer than {limit_bytes} bytes. The file is damaged, or it is no G-code: slice it again."
    ),
    "gcode-checksum": N_(
        "The checksum at the end of line {line} does not fit the line. The file is damaged: export or copy it again."
    ),
    "gcode-unreadable": N_(
        "Line {line} cannot be read as G-code: {command}. The file is damaged, or made for another kind of machine: slice it again for a Marlin printer."
    ),
    "gcode-unknown-command": N_(
        "Line {line} is no command that a Marlin printer knows: {command}. Was the file sliced for another kind of printer, such as Klipper? Slice it again for Marlin."
    ),
    "gcode-changes-machine": N_(
        "Line {line} changes settings that the machine keeps for everybody after you: {command}. Take the line out of the slicer's start or end G-code, and slice again."
    ),
    "gcode-steers-host": N_(
        "Line {line} holds a command that only the program in charge of the machine may give: {command}. Take the line out of the slicer's start or end G-code, and slice again."
    ),
    "gcode-not-understood": N_(
        "Line {line} moves the machine in a way that fabd cannot follow, and so cannot measure: {command}. Turn curves and macros off in the slicer, and slice again."
    ),
    "gcode-e-doubtful": N_(
        "Since the G90 in line {line}, some printers read lengths of filament as relative and others as absolute. Put M83 (or M82) behind that line in the slicer's start G-code, and slice again."
    ),
    "gcode-no-moves": N_(
        "The G-code has {lines} line(s), and none of them moves the machine. Export it again from the slicer."
    ),
    "gcode-filament-differs": N_(
        "The slicer's note says {claimed_mm} mm of filament, the moves say {moves_mm} mm. The moves count."
    ),
    "gcode-time-differs": N_(
        "The slicer's note says {claimed_min} min, the moves say {moves_min} min. The machine's own time counts."
    ),
    "gcode-never-heats": N_("The file pushes filament and never heats a nozzle. Check the slicer's start G-code."),
    "gcode-never-homes": N_(
        "The file never sends the machine home (G28), so where it prints depends on where the machine stands. Check the slicer's start G-code."
    ),
    # Every format: what a file is, and what became of its parser.
    "format-empty": N_("{name} is empty. Export or copy it again."),
    "format-too-big": N_("{name} is larger than {limit_mb} MB. Make it in several parts."),
    "format-unknown": N_("{name} is of no format that a machine here understands. Known endings: {suffixes}."),
    "format-not-as-named": N_("{name} is called {suffix}, and what stands in it is something else. Export it again."),
    "format-ambiguous": N_("{name} could be of several formats. Give it the ending that belongs to its format."),
    "format-broken": N_(
        "{name} is of no format that works here; these could not be loaded: {formats}. Whoever runs fabd must look at its installation."
    ),
    "format-is-model": N_(
        "{name} is a 3D model ({what}), and a printer needs layers. Slice it in PrusaSlicer or Cura, and send the G-code."
    ),
    "format-is-binary-gcode": N_(
        "{name} is binary G-code ({what}). In PrusaSlicer, turn off 'Supports binary G-code' in the printer settings, and export again."
    ),
    "format-is-picture": N_(
        "{name} is a picture ({what}). For the cutter, trace it in Inkscape (Path > Trace Bitmap) and save it as SVG; for embroidery, prepare it in Ink/Stitch."
    ),
    "format-is-document": N_(
        "{name} is a document or drawing that fabd does not read ({what}). Open it in Inkscape and save it as SVG."
    ),
    "format-is-archive": N_("{name} is an archive ({what}). Unpack it, and send the files in it one by one."),
    "format-too-slow": N_("Reading {name} took too long. Simplify it, or make it in several parts."),
    "format-needs-memory": N_("Reading {name} took too much memory. Simplify it, or make it in several parts."),
    "format-answer-too-big": N_(
        "{name} becomes more than {limit_mb} MB of commands. Simplify it, or make it in several parts."
    ),
    "format-parser-crashed": N_(
        "{name} could not be read ({detail}): its parser failed. Export it again; if it fails again, whoever runs fabd should report the file."
    ),
    "format-parser-not-started": N_(
        "{name} could not be read now ({detail}). Try again; if it fails again, whoever runs fabd must look at the machine."
    ),
}
