"""What the room `drivers` says. Codes are keys; never rename one that was released."""

from fabd.messages import N_

SENTENCES: dict[str, str] = {
    # wires
    "wire-closed": N_("The connection to {wire} was closed."),
    "wire-hung-up": N_(
        "The machine at {wire} is gone: it was switched off, or its cable was pulled. fabd connects again when it is back."
    ),
    "wire-failed": N_("The connection to {wire} broke: {detail}. Check the cable; fabd tries again by itself."),
    "wire-not-opened": N_(
        "The machine at {wire} cannot be reached: {detail}. Is it plugged in and switched on? fabd tries again by itself."
    ),
    # printers with Marlin
    "marlin-silent": N_(
        "The printer at {wire} did not answer {awaited} within {limit_s} s. Is it switched on, and is the baud rate right? fabd connects again by itself."
    ),
    "marlin-deaf": N_("The printer at {wire} has halted and hears nothing. Switch it off and on again."),
    "marlin-halted": N_(
        "The printer halted itself, and said: {words}. Look at it before anything else; then switch it off and on again."
    ),
    "marlin-error": N_("The printer said: {words}. Look at it before it goes on."),
    "marlin-reset": N_(
        "The printer at {wire} restarted by itself; what it was making is lost. Check its power supply and its USB cable."
    ),
    "marlin-stopped": N_("The printer at {wire} was stopped."),
    "marlin-canceled-at-machine": N_("Somebody ended the print at the printer itself ({action})."),
    "marlin-misheard": N_(
        "The printer heard {heard}, which it was not sent: the line is disturbed, and the piece may be wrong. Check the USB cable."
    ),
    "marlin-resend-loop": N_(
        "The printer asked {times} times in a row for line {number}. Check the USB cable; where it is good, the firmware cannot take this line."
    ),
    "marlin-resend-unknown": N_(
        "The printer asked for line {number}, which was not sent lately: the line is disturbed. Check the USB cable."
    ),
    "marlin-off-bed": N_(
        "{axis} goes from {low_mm} to {high_mm} mm; this printer has {least_mm} to {most_mm} mm. Move the piece, make it smaller, or slice it for this printer."
    ),
    "marlin-nozzle-too-hot": N_(
        "The file heats the nozzle to {found_c} °C; this printer allows {limit_c} °C. Slice it with another material's profile."
    ),
    "marlin-bed-too-hot": N_(
        "The file heats the bed to {found_c} °C; this printer allows {limit_c} °C. Slice it with another material's profile."
    ),
    "marlin-tool-missing": N_(
        "The file uses tool {tool}; this printer has {tools} tool(s). Slice it for this printer."
    ),
    "marlin-line-too-long": N_(
        "Line {line} is longer than the {limit} characters that the printer can take. Nothing was printed; remove or shorten it."
    ),
    "marlin-line-not-text": N_(
        "Line {line} holds a character that cannot be sent to a printer. Nothing was printed; slice the file again."
    ),
    "marlin-prompt-stop": N_(
        "The program waits here (line {line}): {text} Do what it needs at the printer, then answer continue."
    ),
    "marlin-prompt-filament": N_(
        "The program wants another filament (line {line}). Change it with the printer's own menu, then answer continue."
    ),
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
    # the embroidery machine
    "embroidery-format-unread": N_(
        "This embroidery machine does not read {format} files; it reads {known}. Save the design in one of these."
    ),
    "embroidery-nothing-to-sew": N_("There is nothing to sew in this design: it has no stitches."),
    "embroidery-larger-than-hoop": N_(
        "The design is {width_mm} x {height_mm} mm; the hoop is {hoop_width_mm} x {hoop_height_mm} mm, and designs are not turned. Make it smaller, or use another hoop."
    ),
    "embroidery-stick-missing": N_("The stick {stick} is not there. Plug it in again."),
    "embroidery-stick-full": N_(
        "There is no room for {name} on the stick {stick}. Delete what is not needed, and try again."
    ),
    "embroidery-stick-read-only": N_(
        "{name} cannot be changed on the stick {stick}: it is write-protected, or fabd's account may not write there. Open its lock, or use another stick."
    ),
    "embroidery-stick-failed": N_("{name} could not be written to the stick {stick}: {detail}. Try another stick."),
    "embroidery-wants-stick": N_(
        "{file}, {key}{item}: found {found}, expected the folder of the machine's stick: folder:///media/stick."
    ),
    "embroidery-not-started": N_("{ticket}: somebody at the embroidery machine said that it will not be sewn."),
    "embroidery-stopped-early": N_("The embroidery machine stopped after {sewn} of {stitches} stitches."),
    "embroidery-stop-at-machine": N_(
        "The embroidery machine may still be sewing. Stop it with its own button: fabd cannot."
    ),
    "embroidery-pause-at-machine": N_(
        "fabd cannot pause a needle that sews. Stop it with the machine's own button, and start it there again."
    ),
    "embroidery-file-left": N_(
        "A finished design could not be taken off the stick of the embroidery machine. Delete it by hand."
    ),
    "thread-colour": N_("Load thread {number}: {colour}. Then answer loaded."),
    "start-design": N_(
        "{ticket}: choose {name} on the embroidery machine, and press its start button. Then answer started; or cancel, if it is not to be sewn."
    ),
    "design-finished": N_(
        "{ticket}: when the embroidery machine has sewn all {stitches} stitches, answer finished. If it stopped for good before, answer stitches=N, where N is the number on its screen."
    ),
    "design-stitches-impossible": N_(
        "{ticket}: {said} cannot be, since the design has {stitches} stitches. How many did the machine sew? Answer stitches=N, where N is the number on its screen, or finished."
    ),
}
