"""What the room `metering` says. Codes are keys; never rename one that was released."""

from fabd.messages import N_

SENTENCES: dict[str, str] = {
    # members, levels, grants
    "member-id-invalid": N_(
        "“{member}” cannot be a member's id: use up to 40 lower case letters, digits, '.', '_' or '-', beginning with a letter or digit."
    ),
    "member-exists": N_("There is already a member {member}. Choose another id."),
    "member-not-found": N_("There is no member {member}. Add one with: fabd member add {member}"),
    "member-not-found-near": N_("There is no member {member}. Did you mean {near}?"),
    "kind-not-found": N_("No machine here is of the kind {kind}. There are: {kinds}."),
    "level-not-found": N_("There is no level {level}. There are: {levels}."),
    "level-of-grant-gone": N_(
        "{member} was granted the level {level} on {kind}, but levels.toml no longer has it. Put the level back, or grant another one."
    ),
    "grant-until-past": N_("A grant cannot end in the past ({until}). Give a later end, or none."),
    "grant-none-in-force": N_("{member} holds no grant on {kind}: there is nothing to revoke."),
    # tariff
    "config-no-tariff": N_(
        "No tariff is in force on {day}: each one in tariff.toml begins later. Add a version whose effective_from is not after that day."
    ),
    "tariff-edited": N_(
        "The tariff version {version} has priced jobs since {since} and was edited afterwards. Put it back as it was, and write the new prices as a new version with its own effective_from."
    ),
    # meter
    "meter-reading-invalid": N_(
        "The machine reported {value} for {meter}, which cannot be. Check the machine and its driver; the job cannot be metered from this."
    ),
    "meter-filament-twice": N_(
        "The machine's driver reported its filament in millimetres and in milligrams at once. Only one of them can be billed: correct the driver."
    ),
    "filament-without-material": N_(
        "The job uses filament, but no material is known. Name one with --material, or load one on the machine."
    ),
    "material-without-density": N_(
        "The material {material} has no diameter or no density, so its filament cannot be weighed. Choose another material, or complete it in materials.toml."
    ),
    # quote
    "quote-facilitator": N_("At this level a facilitator starts each job. Please ask one."),
    "quote-facilitator-releases": N_("At this level a facilitator releases each job before it starts. Please ask one."),
    "quote-job-too-long": N_(
        "This takes about {minutes} minutes of machine time; at this level a job may take {limit_minutes}. Make it shorter or send fewer copies, or ask a facilitator."
    ),
    "quote-too-many-jobs": N_(
        "{open} jobs of this member are open; at this level there may be {limit}. Wait for one to end, or cancel one."
    ),
    "quote-nothing-priced": N_("The tariff {tariff} has no price for jobs on a {kind}: this job costs nothing."),
    "quote-material-unpriced": N_("The tariff {tariff} has no price for the material {material}: it is not charged."),
    # ledger
    "ledger-of-another-site": N_(
        "The ledger in this store belongs to the site {found}, but fabd.toml says {site}. Put site.id back, or use this site's own store."
    ),
    "attempt-already-charged": N_(
        "Attempt {attempt} of job {job} is already charged, by entry {seq}. Correct that entry instead."
    ),
    "attempt-not-charged": N_("Attempt {attempt} of job {job} has no charge that stands: there is nothing to correct."),
    "charge-not-newest": N_(
        "Somebody else changed the charge for attempt {attempt} of job {job}: it is at revision {revision} now. Look at it again first."
    ),
    "entry-not-found": N_("The ledger has no entry {seq}."),
    "entry-id-not-found": N_("The ledger has no entry with the id {entry}."),
    "entry-is-no-charge": N_("Entry {seq} is a {kind}, not a charge: it cannot be reversed."),
    "entry-already-reversed": N_("Entry {seq} was already reversed, by entry {by}."),
    # verification
    "ledger-gap": N_(
        "Where entry {expected} should stand, entry {seq} follows: entries are missing or were renumbered."
    ),
    "ledger-bytes-changed": N_(
        "Entry {seq}: its bytes do not have its hash. One of them was changed after it was written."
    ),
    "ledger-bytes-unreadable": N_(
        "Entry {seq}: its bytes are no entry of a ledger. They were replaced after it was written, and their hash with them."
    ),
    "ledger-link-broken": N_(
        "Entry {seq} does not continue the entry before it ({before}): one of the two was rewritten, or one between them is missing."
    ),
    "ledger-column-differs": N_(
        "Entry {seq}: the column {column} says {found}, but the hashed bytes say {written}. The column was changed."
    ),
    "ledger-end-missing": N_(
        "The ledger ends with entry {seq}, but the tills were to hear of entry {announced}: the newest entries are missing."
    ),
}
