"""What the room `queue` says. Codes are keys; never rename one that was released."""

from fabd.messages import N_

SENTENCES: dict[str, str] = {
    # Files and wishes
    "copies-out-of-range": N_("{copies} copies cannot be made: ask for 1 to {most}."),
    "file-damaged": N_("A stored file has changed on the disk ({sha256}). Nothing was started: send the file again."),
    "file-not-readable": N_("A stored file cannot be read ({sha256}): {detail}. Send the file again."),
    "file-not-stored": N_("The file could not be stored: {detail}. Nothing was kept; make room on the disk."),
    "idempotency-key-reused": N_("This idempotency key was used for another job ({job}). Use a new key."),
    "material-not-said": N_("Nothing is loaded, and no material was named. Name one with --material: {known}."),
    "material-unknown": N_("There is no material or lot called {material}. There are: {known}."),
    "no-machine-for-format": N_(
        "No machine here takes files of the format {format} (asked for: {machine}). See: fabd machine list."
    ),
    # Jobs
    "job-unknown": N_("There is no job {job}. See: fabd job list --all."),
    "job-cannot-move": N_("Job {job} is {state}; it cannot become {to}."),
    "job-completed-already": N_(
        "Job {job} is completed. If the piece is no good, say so with: fabd machine ready MACHINE --failed ..."
    ),
    "job-canceled-by-user": N_("Canceled by {by}."),
    "job-held": N_("Held by {by}. Let it go with: fabd job release."),
    "job-needs-release": N_(
        "At the level {level} a facilitator releases each job. A facilitator does so with: fabd job release."
    ),
    "job-level-changed": N_(
        "The member's level changed from {before} to {now} since the quote. A facilitator must release the job."
    ),
    "job-piece-failed": N_("The piece is no good (fault: {fault}), says {by}."),
    "job-cannot-begin": N_(
        "The job cannot begin, through a mistake in fabd ({detail}). Cancel it and send the file again; the log says more."
    ),
    "attempt-failed": N_(
        "The attempt ended through a mistake in fabd ({detail}). Please report it; the log says more."
    ),
    "attempt-not-charged-for": N_(
        "What was used could not be priced: {detail} Nothing was charged; enter it at the till by hand."
    ),
    "host-restarted": N_(
        "fabd was restarted in the middle of it. Look at the machine, then release or cancel the job."
    ),
    "host-stopped": N_("fabd was stopped in the middle of it. Look at the machine, then release or cancel the job."),
    "paused": N_("Paused."),
    # Why a job waits
    "route-machine-away": N_("{machine} is not connected."),
    "route-machine-busy": N_("{machine} is making something else."),
    "route-machine-closed": N_("{machine} is closed."),
    "route-machine-foreign": N_("{machine} makes something that was not sent through fabd. It is waited for."),
    "route-machine-not-ready": N_("{machine} waits for somebody to clear it and to say: fabd machine ready {machine}."),
    "route-machine-paused": N_("{machine} is paused. Go on with: fabd machine resume {machine}."),
    "route-material-needed": N_("{machine} holds {loaded}; this job wants {wanted}. Load it, then: fabd machine load."),
    "route-no-machine": N_("No machine here makes {format} files as a {kind}."),
    "route-no-machines": N_("There is no machine in the configuration."),
    "route-nothing-loaded": N_("Nothing is loaded on {machine}. Say what is: fabd machine load {machine} LOT."),
    "route-other-machine": N_("It was sent for {machine}, which is not there."),
    # Machines
    "machine-unknown": N_("There is no machine called {machine}. There are: {known}."),
    "machine-busy": N_("{machine} is making job {job}. Wait for its end, or cancel it first."),
    "machine-closed": N_("Closed by {by}: {why}"),
    "machine-paused": N_("Paused: it takes no new job until somebody resumes it."),
    "machine-nothing-to-judge": N_(
        "There is no piece on {machine} that could be no good: the last one was judged already."
    ),
    "machine-emergency": N_("Emergency stop by {by}."),
    "machine-stop-owed": N_(
        "{machine} could not be told to stop. Go there now and switch it off if it is not safe. It is stopped first thing when it answers."
    ),
    "machine-given-up": N_(
        "fabd has stopped working this machine, through a mistake of its own ({detail}). Look at the machine, then restart fabd."
    ),
    "material-needed": N_("No material is loaded on {machine}. Load some, then: fabd machine load {machine} LOT."),
    "output-area-full": N_("Clear {machine}, then say: fabd machine ready {machine}."),
    "prompt-open": N_("{machine} waits for a person."),
    "reading-impossible": N_(
        "The driver of {machine} reported {found} for {meter}, which cannot be: such values only grow. Tell its authors."
    ),
    # Reload
    "reload-machine-busy": N_("{machine} is making job {job}: its settings can change only while it is idle."),
    "reload-needs-restart": N_("[{key}] in fabd.toml is taken at the next start only; put it back, or restart fabd."),
    # Prompts
    "prompt-clear-output": N_("Take {ticket} off {machine} and look at it. Is the machine clear?"),
    "prompt-none": N_("{machine} asks nothing."),
    "prompt-already-answered": N_("Somebody else has just answered {machine}."),
    "prompt-answer-unknown": N_("{answer} is no answer here. Answer one of: {expected}."),
}
