"""The family of errors, each with the exit code and the cure it owns.

    AictlError ............ 70  a bug of ours, until a subclass says otherwise
    ├── WorkFailed ........  1  the work ran and its result is not good
    │   └── GateMissed ....  1  a measured quality, parity or speed gate was missed
    ├── BadRequest ........  2  asked wrongly: an option, a ref, an input's content
    │   ├── WrongKind .....  2  a ref to an artifact of a kind the command does not take
    │   └── BadInput ......  2  a file that was given cannot be read as what it should be
    ├── NotFound ..........  3  no such artifact, file or workspace
    ├── ExtraMissing ......  4  a dependency or plugin is not installed
    ├── MachineLacks ......  5  this machine cannot: GPU, memory, disk, permission
    ├── Damaged ...........  6  an artifact's bytes are not those that were made
    └── TryLater .......... 75  network, lock: nothing is wrong with the request

``Interrupted`` (130 for SIGINT, 143 for SIGTERM) is no error and no ``Exception``: nothing
that means to survive a failure may swallow it.

A message says what was wrong and where it came from; ``cure`` says what to do about it. URLs in
either lose the credentials that they carry.
"""

from __future__ import annotations

from aictl.core.redaction import redacted


class AictlError(Exception):
    """Base of the family: a message for a person, a cure, and an exit code for a shell."""

    exit_code = 70
    usual_cure: str | None = None

    def __init__(self, message: str, *, cure: str | None = None) -> None:
        message, cure = redacted(message), cure and redacted(cure)
        super().__init__(message)
        self.message = message
        self.cure = cure or self.usual_cure


class WorkFailed(AictlError):
    """The work was done and failed: training diverged, an engine could not be built."""

    exit_code = 1


class GateMissed(WorkFailed):
    """A measured value missed the gate it was held to; nothing was made."""


class BadRequest(AictlError):
    """The request itself is wrong; running it again will not help."""

    exit_code = 2


class WrongKind(BadRequest):
    """An artifact of one kind was given where another kind is taken."""


class BadInput(BadRequest):
    """A file was found but its content cannot be used."""


class NotFound(AictlError):
    """Something that was named does not exist."""

    exit_code = 3


class ExtraMissing(AictlError):
    """A dependency or plugin is not installed; the cure is the install line."""

    exit_code = 4


class MachineLacks(AictlError):
    """This machine cannot do the work; the message says what it lacks."""

    exit_code = 5


class Damaged(AictlError):
    """An artifact or a download differs from what its record promises."""

    exit_code = 6
    usual_cure = "`aictl artifact check` names what is damaged; the command that made it makes it again with --force"


class TryLater(AictlError):
    """A passing condition, such as a network that is down or a lock that is held."""

    exit_code = 75


class Interrupted(BaseException):
    """SIGINT or SIGTERM arrived; ``exit_code`` is 128 plus the signal's number."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"interrupted by signal {signal_number}")
        self.exit_code = 128 + signal_number
