"""Every error that StreamWeave raises on purpose, in one tree below ``StreamWeaveError``.

Each is ``Transient`` (a later attempt may succeed) or ``Permanent`` (it fails again until a person changes something);
beside that, ``SourceError`` is about shares (``SourceFileError`` about one file, which never stops the others),
``StorageError`` about storage locations (``PathUnusable`` about one file), ``WebhookError`` about webhooks.
"""

import re
import uuid
from typing import Self

from streamweave.printable import printable


class StreamWeaveError(Exception):
    """The root. ``str(error)`` is a sentence for a person, and safe to print and to log with any names in it."""

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
    """A certificate is asked for where no file was ever seen."""

    def __init__(self, path: str | None) -> None:
        where = "on this instrument" if path is None else f"at {path}"
        StreamWeaveError.__init__(self, f"Nothing is known {where}: no scan has ever seen a file there")


class IdentifierPrivate(Permanent):
    """The identifier exists; the caller may not see its file."""

    def __init__(self) -> None:
        super().__init__("This identifier exists; its file is private")


class CopyUnavailable(Transient):
    """No copy of an archived version can be read at present."""

    def __init__(self) -> None:
        super().__init__("The archived copy of this file can't be read at the moment; its administrators can see why")


class Conflict(Permanent):
    """The catalog already holds something that forbids the change."""


class NotAuthenticated(Permanent):
    """Wrong credentials, or a token that is not ours, or no longer valid."""


class NotAllowed(Permanent):
    """The caller is known, but may not do this."""


class TooManyAttempts(Transient):
    """Too many attempts of one kind: logins, registrations, mails, requests.

    ``retry_after_seconds`` says when the next one is accepted.
    """

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"Too many attempts: try again in {retry_after_seconds} seconds")
        self.retry_after_seconds = retry_after_seconds


class TooBusy(Transient):
    """Too many passwords are being checked at this moment. Retry after ``retry_after_seconds``."""

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
        """The same failure, with the hook's name."""
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
        """The same failure, with the hook's name."""
        return type(self)(f"{hook_name}: {self}", self.hook_id, self.delay_seconds)


class MailNotTaken(Transient):
    """The mail server doesn't answer, or doesn't take the mail."""


class WebhookError(StreamWeaveError):
    """Something about a message to an address that a user entered."""


class WebhookUnavailable(WebhookError, Transient):
    """There is no answer, the connection was lost, or the answer says: not now."""


class WebhookTimedOut(WebhookUnavailable):
    """No complete answer in time."""


class WebhookRefused(WebhookError, Permanent):
    """The answer is a refusal, a redirect or too large, or comes from a server that we don't trust."""


class WebhookForbidden(WebhookError, Permanent):
    """The facility lets no webhook go to this address."""


class SourceError(StreamWeaveError):
    """Something about where files come from."""


class SourceUnreachable(SourceError, Transient):
    """No answer at the host and port, or the connection was lost."""


class CredentialsRefused(SourceError, Permanent):
    """The server refuses the service account. Never retried automatically: retries lock accounts."""


class HostNotAllowed(SourceError, Permanent):
    """The service account is bound to other hosts: its credentials are not sent to this one."""


class EncryptionMissing(SourceError, Permanent):
    """The instrument requires encryption, which the server does not offer."""


class AuthenticationUnavailable(SourceError, Permanent):
    """The instrument's way of authentication is not available on this machine."""


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
    """The file is not what the scan found. It settles anew."""


class ContentDiffers(SourceFileError, Permanent):
    """The file has the size and mtime of a version that is archived elsewhere, and another content."""


class FileUnreadable(SourceFileError, Permanent):
    """The file's name can't be asked for: it is not valid Unicode."""


class FolderBeyondLimits(SourceFileError, Permanent):
    """A folder is larger, deeper or slower to list than the instrument's limits allow."""


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
    """No file can have this path in this storage. It is about one file, not about the storage.

    ``part`` is the index of the part of the path whose name something else has (-1: the file's own name): another name
    for that part will do. It is None when the file system takes no such name: too long, or an unknown character.
    """

    def __init__(self, sentence: str, part: int | None = None) -> None:
        super().__init__(sentence)
        self.part = part


class DestinationOccupied(PathUnusable):
    """Something else has the final name already, and is never overwritten."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, part=-1)


class CopyNotProven(StorageError, Transient):
    """The bytes read back from the destination differ from the bytes that were written."""
