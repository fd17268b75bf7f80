"""What the room `drivers` says. Codes are keys; never rename one that was released."""

from fabd.messages import N_

SENTENCES: dict[str, str] = {
    # the cutter
    "cutter-silent": N_(
        "The cutter at {wire} did not answer within {limit_s} s. Is it switched on, and set to the same speed of the line? A cutter that never answers needs the setting readback = none."
    ),
    "cutter-answer-unreadable": N_(
        "The cutter at {wire} answered {answer}, which is no number. Check the speed of the line, and that nothing else uses it."
    ),
    "cutter-nothing-to-cut": N_("There is nothing to cut in this drawing: it has no lines."),
    "cutter-negative": N_(
        "The drawing begins at X {x_mm} mm, Y {y_mm} mm. The cutter has no place below zero: move the drawing."
    ),
    "cutter-too-wide": N_(
        "The drawing reaches {needed_mm} mm across the roll; this cutter has {width_mm} mm. Make it smaller, turn it or move it."
    ),
    "cutter-too-long": N_(
        "The drawing needs a feed of {needed_mm} mm; this cutter has {length_mm} mm. Make it smaller, or cut it in parts."
    ),
    "cutter-command-unknown": N_(
        "Line {line} of the plotter commands is none that this cutter is sent. Nothing was cut; send the drawing again."
    ),
    "cutter-line-off-media": N_(
        "Line {line} of the plotter commands leads to X {x_mm} mm, Y {y_mm} mm, which is off the media. Nothing was cut; send the drawing again."
    ),
    "cutter-busy": N_(
        "The cutter still works on something that did not come from here. Let it end, or stop it at its panel, and try again."
    ),
    "cutter-buffer-too-small": N_(
        "The cutter says that only {found} bytes are free while it rests; at least {needed} are needed. Switch it off and on again."
    ),
    "cutter-overflow": N_(
        "The cutter lost bytes: its buffer ran over (error {error}). The piece is spoiled. Check the cable and the flow control, and load new material."
    ),
    "cutter-damaged-bytes": N_(
        "The cutter heard damaged bytes (error {error}). The piece is spoiled. Check the cable and the speed of the line, and load new material."
    ),
    "cutter-command-misunderstood": N_(
        "The cutter did not understand a command (HP-GL error {error}). The piece may lack lines: look at it."
    ),
    "cutter-position-unanswered": N_(
        "The cutter did not say within {limit_s} s where its tool is, so that the end cannot be proven. Look at it; if it never answers OA, it needs the setting readback = none."
    ),
    "cutter-position-differs": N_(
        "The cutter says that its tool is at X {x_mm} mm, Y {y_mm} mm, or still down; the drawing ends at X {expected_x_mm} mm, Y {expected_y_mm} mm. The piece is spoiled: check material and cable."
    ),
    "cutter-pen-unknown": N_(
        "The cutter did not say within {limit_s} s that its tool is up. Look at it: lift the tool at its panel, or close its lever."
    ),
    "cutter-pen-down": N_("The cutter says that its tool is still down. Lift it at its panel."),
    "cutter-stopped": N_("The cutter was stopped."),
    "cutter-stopped-early": N_("Somebody said at the cutter that it stopped before the end."),
    "cutter-wants-commands": N_(
        "{file}, {key}{item}: found {found}, expected plotter commands such as IN; each with its semicolon, or nothing."
    ),
    "cut-finished": N_(
        "{ticket}: the cutter should be done, but cannot say so itself. Did it cut everything (finished), or did it stop before the end (stopped-early)?"
    ),
}
