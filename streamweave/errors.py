"""Every error that StreamWeave raises on purpose, in one tree.

::

    StreamWeaveError
    ├── Transient                      trying again later may succeed
    ├── Permanent                      it fails again until a person changes something
    ├── InvalidInput (Permanent)       a value that was entered can't be accepted; names its field
    ├── NotFound (Permanent)           what was asked for is not in the catalog
    │   ├── IdentifierMistyped         it can't be right: its check character is wrong
    │   ├── NotArchived                a selection names a file without an archived version
    │   └── NothingKnown               a certificate is asked for where no file was ever seen
    ├── IdentifierPrivate (Permanent)  the identifier exists; its file is not for whoever asks
    ├── CopyUnavailable (Transient)    no copy of an archived version can be read at present
    ├── Conflict (Permanent)           the catalog already holds something that forbids it
    ├── NotAuthenticated (Permanent)   wrong credentials or token
    ├── NotAllowed (Permanent)         known, but not entitled to this
    ├── TooManyAttempts (Transient)    to log in, in too short a time; says when to come back
    ├── TooBusy (Transient)            too many passwords are being worked on; says when to come back
    ├── StartError (Permanent)         the system can't start; one sentence says what to do
    ├── SealBroken (Permanent)         a sealed secret can't be opened with the keys at hand
    ├── OrchestratorUnavailable (Transient)
    ├── HookFailed (Permanent)
    │   ├── HookTimedOut (Permanent)       it gave no answer in its time
    │   └── HookUnanswered (Permanent)     it calls out, and is asked about the same file again by its own policy
    ├── MailNotTaken (Transient)       the mail server doesn't answer, or refuses the mail at present
    ├── WebhookError
    │   ├── WebhookUnavailable (Transient)     no answer, or one that says: not now
    │   │   └── WebhookTimedOut (Transient)    no complete answer in time
    │   ├── WebhookRefused (Permanent)         answered otherwise, or by somebody we don't trust
    │   └── WebhookForbidden (Permanent)       the facility lets no webhook go there
    ├── SourceError
    │   ├── SourceUnreachable (Transient)      no answer at the host and port, or the connection was lost
    │   ├── CredentialsRefused (Permanent)     the server knows us not
    │   ├── ShareMissing (Permanent)           the server has no such share
    │   ├── BasePathMissing (Permanent)        the share has no such folder
    │   ├── ShareDenied (Permanent)            the account may not open the share or folder
    │   ├── AddressChanged (Transient)         the instrument was given another address meanwhile
    │   ├── SuspectListing (Permanent)         empty, or shrunk far below what is known: nothing is concluded
    │   └── SourceFileError                    about one file; never stops the others
    │       ├── FileVanished (Permanent)
    │       ├── FileDenied (Permanent)
    │       ├── FileInUse (Transient)          the instrument holds it locked
    │       ├── FileChanged (Transient)        it is not what discovery saw: it settles anew
    │       ├── ContentDiffers (Permanent)     same size and mtime as archived elsewhere, other content: a new version
    │       ├── FileUnreadable (Permanent)     its name can't be asked for
    │       ├── FolderBeyondLimits (Permanent) larger, deeper or slower to list than the instrument's limits allow
    │       └── FileReadFailed (Transient)
    └── StorageError
        ├── StorageUnavailable (Transient)     full, not answering, an I/O error
        ├── StorageRefused (Permanent)         not writable for us, or not the place it was
        ├── NotAFile (Permanent)               a folder, a link or the like stands where a copy should be
        ├── PathUnusable (Permanent)           no file can have this path there; about one file, never about the storage
        │   └── DestinationOccupied (Permanent)    something else has the final name; it is never overwritten
        └── CopyNotProven (Transient)          the bytes read back differ from the bytes written
"""

import re
import uuid
from typing import Self

from streamweave.printable import printable


class StreamWeaveError(Exception):
    """The root. ``str(error)`` is a sentence for a person; whatever names it holds, it is safe to print and to log."""

    def __str__(self) -> str:
        return printable(super().__str__())

    @classmethod
    def kind(cls) -> str:
        """The error's name on record, e.g. ``share_missing``."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


class Transient(StreamWeaveError):
    """Trying again later may succeed."""


class Permanent(StreamWeaveError):
    """It fails again until a person changes something."""


class InvalidInput(Permanent):
    """A value that was entered can't be accepted. ``field`` names it as the REST contract does."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class NotFound(Permanent):
    """What was asked for is not in the catalog. The message is ``<Noun> not found``."""

    def __init__(self, noun: str) -> None:
        super().__init__(f"{noun} not found")


class IdentifierMistyped(NotFound):
    """An identifier can't be right: it isn't an ARK, or its check character is wrong."""

    def __init__(self, sentence: str) -> None:
        StreamWeaveError.__init__(self, sentence)


class NotArchived(NotFound):
    """A selection names a file that has no archived version yet."""

    def __init__(self, file_id: object) -> None:
        StreamWeaveError.__init__(self, f"File {file_id} is not archived yet")


class NothingKnown(NotFound):
    """No file was ever seen there: that is no ground for calling anything safe."""

    def __init__(self, path: str | None) -> None:
        where = "on this instrument" if path is None else f"at {path}"
        StreamWeaveError.__init__(self, f"Nothing is known {where}: no look has ever seen a file there")


class IdentifierPrivate(Permanent):
    """The identifier exists; its file is not for whoever asks."""

    def __init__(self) -> None:
        super().__init__("This identifier exists; its file is private")


class CopyUnavailable(Transient):
    """No copy of an archived version can be read at present."""

    def __init__(self) -> None:
        super().__init__("The archived copy of this file can't be read at the moment; its administrators can tell why")


class Conflict(Permanent):
    """The catalog already holds something that forbids the change."""


class NotAuthenticated(Permanent):
    """Wrong credentials, or a token that is not ours, or no longer valid."""


class NotAllowed(Permanent):
    """Who asks is known, but is not entitled to what they ask for."""


class TooManyAttempts(Transient):
    """Too many attempts of one kind: logins, registrations, mails, requests.

    ``retry_after_seconds`` says when the next one is looked at.
    """

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"Too many attempts: try again in {retry_after_seconds} seconds")
        self.retry_after_seconds = retry_after_seconds


class TooBusy(Transient):
    """Too many passwords are being worked on at this moment, whoever's. Come back after ``retry_after_seconds``."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"Too many logins at this moment: try again in {retry_after_seconds} seconds")
        self.retry_after_seconds = retry_after_seconds


class StartError(Permanent):
    """The system can't start. The message is one sentence that says what to do about it."""


class SealBroken(Permanent):
    """A sealed secret can't be opened with the keys at hand."""


class OrchestratorUnavailable(Transient):
    """Dagster doesn't answer, or refused what was asked of it."""


class HookFailed(Permanent):
    """A hook could not decide or enrich. ``diagnostics`` is what a script wrote to standard error, for admins only."""

    diagnostics: str = ""

    def of(self, hook_name: str) -> Self:
        """The same failure, told with the hook's name."""
        return type(self)(f"{hook_name}: {self}")


class HookTimedOut(HookFailed):
    """A hook gave no answer in its time."""


class HookUnanswered(HookFailed):
    """A hook that calls out gave no answer that can be used: it is asked again, first after ``delay_seconds``."""

    def __init__(self, sentence: str, hook_id: uuid.UUID, delay_seconds: float) -> None:
        super().__init__(sentence)
        self.hook_id = hook_id
        self.delay_seconds = delay_seconds

    def of(self, hook_name: str) -> Self:
        """The same failure, told with the hook's name."""
        return type(self)(f"{hook_name}: {self}", self.hook_id, self.delay_seconds)


class MailNotTaken(Transient):
    """The mail server doesn't answer, or doesn't take the mail."""


class WebhookError(StreamWeaveError):
    """Something about a message to an address that people entered."""


class WebhookUnavailable(WebhookError, Transient):
    """Nobody answers, the connection was lost, or the answer says: not now."""


class WebhookTimedOut(WebhookUnavailable):
    """No complete answer in time."""


class WebhookRefused(WebhookError, Permanent):
    """The answer is a refusal, a redirect or too large, or comes from somebody whom we don't trust."""


class WebhookForbidden(WebhookError, Permanent):
    """The facility lets no webhook go to this address."""


class SourceError(StreamWeaveError):
    """Something about where files come from."""


class SourceUnreachable(SourceError, Transient):
    """No answer at the host and port, or the connection was lost."""


class CredentialsRefused(SourceError, Permanent):
    """The server refuses the service account. Never retried by itself: retries lock accounts."""


class HostNotAllowed(SourceError, Permanent):
    """The service account is bound to other hosts: its credentials are not sent to this one."""


class EncryptionMissing(SourceError, Permanent):
    """The instrument requires encryption, which the server does not offer."""


class AuthenticationUnavailable(SourceError, Permanent):
    """The instrument's way of authentication can't be had on this machine."""


class ShareMissing(SourceError, Permanent):
    """The server has no share of that name."""


class BasePathMissing(SourceError, Permanent):
    """The share has no folder at the instrument's base path."""


class ShareDenied(SourceError, Permanent):
    """The account may not open the share or its base folder."""


class SuspectListing(SourceError, Permanent):
    """The listing is empty or has shrunk far below what is known: an alarm, never a deletion."""


class AddressChanged(SourceError, Transient):
    """The instrument was given another address while its share was scanned: the scan's paths may mean nothing now."""


class SourceFileError(SourceError):
    """About one file. It never stops the others."""


class FileVanished(SourceFileError, Permanent):
    """The file was gone before its copy was complete."""


class FileDenied(SourceFileError, Permanent):
    """The account may not read this file."""


class FileInUse(SourceFileError, Transient):
    """The instrument holds the file locked."""


class FileChanged(SourceFileError, Transient):
    """The file is not what discovery saw. It settles anew."""


class ContentDiffers(SourceFileError, Permanent):
    """The file has the size and mtime of a version that is archived elsewhere, and another content."""


class FileUnreadable(SourceFileError, Permanent):
    """The file's name can't be asked for: it is not valid Unicode."""


class FolderBeyondLimits(SourceFileError, Permanent):
    """A folder is larger, deeper or slower to list than the instrument's limits let it be."""


class FileReadFailed(SourceFileError, Transient):
    """Reading this one file failed for a reason that may pass."""


class StorageError(StreamWeaveError):
    """Something about where versions go."""


class StorageUnavailable(StorageError, Transient):
    """The storage is full, doesn't answer, or reports an I/O error."""


class StorageRefused(StorageError, Permanent):
    """The storage is not writable for us, or is not the place it was (not mounted)."""


class NotAFile(StorageError, Permanent):
    """A folder, a link or something else that is no file exists at the path of a copy."""


class PathUnusable(StorageError, Permanent):
    """No file can have this path in this storage. It is about one file, and says nothing about the storage as a whole.

    ``part`` is the index of the part of the path whose name something else has (-1: the file's own name): another name
    for that part will do. It is None when the file system takes no name like this one: too long, or a character that
    it does not know.
    """

    def __init__(self, sentence: str, part: int | None = None) -> None:
        super().__init__(sentence)
        self.part = part


class DestinationOccupied(PathUnusable):
    """Something else has the final name already. It is never overwritten."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, part=-1)


class CopyNotProven(StorageError, Transient):
    """The bytes read back from the destination differ from the bytes that were written."""
