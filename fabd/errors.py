"""The error tree: each branch answers "who must act?".

::

    FabdError
    ├── LinkLost            nobody: the session reconnects and tries again
    ├── MachineFault        a person at the machine
    │   └── JobLost         and a person who decides whether the job is made again
    ├── JobRejected         the submitter: another file, other options
    ├── Refused             the caller of the API or the command line
    │   ├── NotFound        it named something that does not exist
    │   ├── NotAllowed      it may not do this
    │   └── Conflict        not in this state, or somebody else was faster
    ├── ConfigError         whoever edits the configuration
    └── StoreError          ops: disk, permissions, a second daemon

An error carries a `Message`, a code with parameters; the sentence is made where a person reads it,
in that person's language. `str(error)` is the English sentence, for logs.
"""

from fabd.messages import Message, Param, say


class FabdError(Exception):
    """Base of all that fabd raises on purpose.

    `code` is a key of the catalogue in `fabd.messages`; `params` fill its sentence.
    """

    def __init__(self, code: str, /, **params: Param) -> None:
        super().__init__(code)
        self.message = Message(code=code, params=params)

    def __str__(self) -> str:
        return say(self.message)


class LinkLost(FabdError):
    """The wire to the machine is gone or silent. The session reconnects; nobody has to act yet."""


class MachineFault(FabdError):
    """The machine itself says no. A person must go and look; the message says what for."""


class JobLost(MachineFault):
    """The machine does not have the job, or not any more, and cannot say what became of it. The job waits, held."""


class JobRejected(FabdError):
    """The file or its options cannot be made. The submitter must change something."""


class Refused(FabdError):
    """A request from outside was not carried out, and changed nothing."""


class NotFound(Refused):
    """The request names a member, machine, job or material that does not exist."""


class NotAllowed(Refused):
    """The caller, or the member it acts for, may not do this."""


class Conflict(Refused):
    """Legal in another state; or somebody else was faster."""


class ConfigError(FabdError):
    """The configuration is wrong. `problems` lists every mistake, not just the first."""

    def __init__(self, *problems: Message) -> None:
        super().__init__("config-invalid", count=len(problems))
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join([say(self.message), *(say(problem) for problem in self.problems)])


class StoreError(FabdError):
    """The store cannot be opened or written: disk, permissions, or a second daemon on it."""
