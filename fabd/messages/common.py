"""What several rooms say. Codes are keys; never rename one that was released."""

from fabd.messages import N_

SENTENCES: dict[str, str] = {
    "config-invalid": N_("The configuration has {count} mistake(s):"),
}
