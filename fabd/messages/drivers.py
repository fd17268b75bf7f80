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
    "printer-off-bed": N_(
        "{axis} goes from {low_mm} to {high_mm} mm; this printer has {least_mm} to {most_mm} mm. Move the piece, make it smaller, or slice it for this printer."
    ),
    "printer-nozzle-too-hot": N_(
        "The file heats the nozzle to {found_c} °C; this printer allows {limit_c} °C. Slice it with another material's profile."
    ),
    "printer-bed-too-hot": N_(
        "The file heats the bed to {found_c} °C; this printer allows {limit_c} °C. Slice it with another material's profile."
    ),
    "printer-tool-missing": N_(
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
    # printers behind OctoPrint
    "octoprint-wants-url": N_(
        "{file}, {key}{item}: found {found}, expected OctoPrint's address as in a browser, without user and password: http://octopi.local."
    ),
    "octoprint-wants-path": N_(
        "{file}, {key}{item}: found {found}, expected a path from the root: /etc/fabd/octoprint.key."
    ),
    "octoprint-wants-key": N_(
        "{file}, {key}{item}: found {found}, expected either api_key or api_key_file. The file may be missing: then fabd asks OctoPrint for a key, and keeps it there."
    ),
    "octoprint-key-file-unreadable": N_(
        "The file {file}, which should hold OctoPrint's key, cannot be read: {detail}. Give it to fabd's account."
    ),
    "octoprint-key-file-unwritable": N_(
        "OctoPrint granted a key, and the file {file} cannot be written: {detail}. Let fabd's account write there; then the key is asked for again."
    ),
    "octoprint-key-unconfirmed": N_(
        "OctoPrint asks whether fabd may use it. Open {url} in a browser, log in, and allow it in the dialogue."
    ),
    "octoprint-key-denied": N_(
        "Somebody denied fabd the use of OctoPrint at {url}, or nobody answered. fabd asks again: allow it in OctoPrint's page."
    ),
    "octoprint-key-refused": N_(
        "OctoPrint at {url} does not take the key. Make another in its settings, under Application Keys, and write it into the configuration or the key's file."
    ),
    "octoprint-rights-missing": N_(
        "The key for OctoPrint at {url} is of a user who may not do everything that is needed: {rights}. Give that user these permissions, in OctoPrint's settings, under Access Control."
    ),
    "octoprint-not-allowed": N_(
        "OctoPrint at {url} does not allow this: {words} Look at its settings, under Access Control and Application Keys."
    ),
    "octoprint-too-old": N_("OctoPrint {version} at {url} is too old for fabd. Update it to 1.5 or later."),
    "octoprint-unreachable": N_(
        "OctoPrint at {url} cannot be reached: {detail}. Is it switched on, and is the address right? fabd tries again by itself."
    ),
    "octoprint-silent": N_(
        "OctoPrint at {url} did not answer within {limit_s} s. fabd tries again by itself; if that lasts, restart OctoPrint when nothing prints."
    ),
    "octoprint-certificate": N_(
        "The certificate of OctoPrint at {url} is not trusted: {detail}. Where it is of an authority of your own, name that in ca_file."
    ),
    "octoprint-redirects": N_(
        "OctoPrint at {url} sends elsewhere: {target}. Write the address where it really is into the configuration."
    ),
    "octoprint-proxy": N_(
        "The proxy before OctoPrint at {url} answers {status}: {words}. OctoPrint behind it is down or just starting; fabd tries again by itself."
    ),
    "octoprint-refuses": N_(
        "OctoPrint at {url} answers {status}: {words}. Is the address right? More is in OctoPrint's own log."
    ),
    "octoprint-not-json": N_(
        "What answers at {url} is a web page, and not OctoPrint's interface: perhaps a proxy with a login of its own. Write an address into the configuration that leads to OctoPrint itself."
    ),
    "octoprint-unreadable": N_(
        "OctoPrint at {url} said something that fabd does not understand: {detail}. Is it OctoPrint, and is it a version that fabd knows?"
    ),
    "octoprint-push-blocked": N_(
        "OctoPrint at {url} cannot push its news: {detail}. fabd asks every second instead; let the proxy pass websockets."
    ),
    "octoprint-push-lost": N_("The connection to OctoPrint at {url} ended: {detail}. fabd connects again by itself."),
    "octoprint-printer-offline": N_(
        "OctoPrint at {url} has no connection to its printer: {state}. Switch the printer on, and connect it in OctoPrint's page."
    ),
    "octoprint-disk-full": N_(
        "There is no room for the file on OctoPrint's disk at {url}: {words}. Delete what is not needed there."
    ),
    "octoprint-file-in-use": N_(
        "OctoPrint at {url} uses the file just now: {words} Look what it prints, and let it end or cancel it."
    ),
    "octoprint-file-refused": N_("OctoPrint at {url} does not take the file: {words}. Slice it again."),
    "octoprint-busy": N_(
        "Somebody began a print in OctoPrint at {url} at the same moment: {file}. When the bed is clear again, release the job."
    ),
    "octoprint-not-begun": N_(
        "OctoPrint at {url} took the file and did not begin to print it: {state}. Look at the printer, then release the job."
    ),
    "octoprint-job-lost": N_(
        "OctoPrint at {url} does not print {file}, and does not know how that ended ({state}): it was restarted in the middle of it, or never got it whole. Look at the bed, then release or cancel the job."
    ),
    "octoprint-begun-anew": N_(
        "Somebody began {file} from the start again in OctoPrint. It was stopped: what was printed until then counts. Look at the bed, then print the job again."
    ),
    "octoprint-canceled": N_("{by} cancelled the print in OctoPrint at {url}."),
    "octoprint-failed": N_("The print failed in OctoPrint at {url}, which says: {words}. Look at the printer."),
    "octoprint-stopped": N_("The upload to OctoPrint was broken off: the machine was stopped."),
    "octoprint-stop-unproven": N_(
        "OctoPrint at {url} did not say within {limit_s} s that the printer rests and its heaters are off ({state}). Look at the printer, and switch it off where it is hot."
    ),
    "octoprint-foreign-not-stopped": N_(
        "OctoPrint at {url} prints {file}, which did not come from here, and fabd does not touch it. Stop it in OctoPrint's page, or at the printer's switch."
    ),
    "octoprint-paused-there": N_("Somebody paused the print in OctoPrint. Let it go on there."),
    "foreign-job": N_("{machine} makes something that was not sent through fabd. It takes no job before that is over."),
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
