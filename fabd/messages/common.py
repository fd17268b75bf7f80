"""What several rooms say. Codes are keys; never rename one that was released."""

from fabd.messages import N_

SENTENCES: dict[str, str] = {
    "config-invalid": N_("The configuration has {count} mistake(s):"),
    "machine-connecting": N_("The machine is being connected."),
    "machine-not-connected": N_("{machine} is not connected. Check its cable and its power."),
    "machine-silent": N_(
        "{machine} said nothing for {limit_s} s ({phase}, position {position}). Look at the machine and its cable."
    ),
    "machine-stop-unanswered": N_(
        "{machine} did not confirm within {limit_s} s that it stopped. Go and look: switch it off if it is not safe."
    ),
    "driver-hangs": N_("The driver of {machine} does not end its run when it is told to. Tell its authors."),
    "driver-failed": N_("The driver has a fault of its own: {detail}. Tell its authors; the log says more."),
}
