"""What an S3 server's refusals mean for an archive."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from streamweave.errors import (
    CopyNotProven,
    DestinationOccupied,
    PathUnusable,
    StorageError,
    StorageRefused,
    StorageUnavailable,
)

# Codes of Amazon S3 API Reference, "Error responses". It stays so until a person changes something.
REFUSALS = {
    "NoSuchBucket": "there is no such bucket: create it, or correct base_path",
    "InvalidAccessKeyId": "the server doesn't know the access key: check access_key_id",
    "SignatureDoesNotMatch": "the server refuses the signature: check secret_access_key",
    "AccessDenied": "access denied: check the key pair, and that it may list, get, put and delete objects there",
    "ExpiredToken": "the key pair has expired: give a new one",
    "RequestTimeTooSkewed": "our clock and the server's are too far apart: set the clocks",
    "PermanentRedirect": "the bucket is elsewhere: correct region or endpoint_url",
    "AuthorizationHeaderMalformed": "the bucket is in another region: correct region",
    "EntityTooLarge": "the file is larger than the server takes",
    "NotImplemented": "the server can't do what is needed: conditional writes and multipart copies",
    "MethodNotAllowed": "the server doesn't allow it: is endpoint_url the address of an S3 server?",
}
# Servers that keep objects as files have the limits of a file system.
NO_SUCH_KEY = {
    "KeyTooLongError": "the key is too long for the server",
    "XMinioInvalidObjectName": "the server takes no such key",
    "XMinioParentIsObject": "part of the path is a file, not a folder",
    "XMinioObjectExistsAsDirectory": "a folder has this name",
}
CORRUPTED = frozenset({"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch"})
EXPLANATIONS = {
    "SlowDown": "the server asks to slow down",
    "ServiceUnavailable": "the server is overloaded",
    "QuotaExceeded": "the quota is used up",
    "XMinioStorageFull": "the storage is full",
    "ConditionalRequestConflict": "somebody else is writing there at this moment",
    "NoSuchUpload": "the server has given up what it was putting together",
    "NoSuchKey": "the staged object is gone",
}
BY_STATUS = {301: "PermanentRedirect", 307: "PermanentRedirect", 401: "AccessDenied", 403: "AccessDenied"} | {
    405: "MethodNotAllowed",
    501: "NotImplemented",
}
PASSING = frozenset({404, 408, 409, 429})  # the client errors that may pass by themselves

_CODE = re.compile(r"(?:<Code>|\(code: )(\w+)")
_STATUS = re.compile(r"status code: (\d{3})")


def s3_error(code: str, status: int, place: str) -> StorageError:
    """The error of our tree for an answer: its code (may be empty), its HTTP status, and where it happened."""
    code = code or BY_STATUS.get(status, "")
    if status == 412 or code == "PreconditionFailed":  # the code alone where a 200 was on its way already
        return DestinationOccupied(f"{place} exists already")
    if reason := REFUSALS.get(code):
        return StorageRefused(f"{place}: {reason}")
    if reason := NO_SUCH_KEY.get(code):
        return PathUnusable(f"{place}: {reason}")
    if code in CORRUPTED:
        return CopyNotProven(f"{place}: other bytes arrived than were sent ({code})")
    reason = EXPLANATIONS.get(code) or f"the server answered {status} {code}".rstrip()
    kind = StorageRefused if 400 <= status < 500 and status not in PASSING else StorageUnavailable
    return kind(f"{place}: {reason}")


def no_answer(place: str) -> StorageUnavailable:
    """The error for a server that gives no answer."""
    return StorageUnavailable(f"{place}: the server does not answer: check endpoint_url and the network")


@contextmanager
def s3_errors(place: str) -> Iterator[None]:
    """Raise what the library reports within the block as a ``StorageError`` about ``place``."""
    try:
        yield
    except FileNotFoundError as error:
        if is_about_the_bucket(error):
            raise s3_error("NoSuchBucket", 404, place) from error
        raise StorageRefused(f"{place}: it is not there") from error
    except AlreadyExistsError as error:
        # The library calls every 409 so; that is a race with somebody else, of which nothing may have come to stand.
        status = 409 if _found(_STATUS, error) == "409" else 412
        raise s3_error(_found(_CODE, error), status, place) from error
    except PreconditionError as error:
        raise StorageUnavailable(f"{place}: it was changed while it was read") from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise s3_error(_found(_CODE, error), 403, place) from error
    except BaseError as error:
        raise _as_storage_error(error, place) from error
    except BaseException as error:
        # The library lost its head over an answer. That class is no Exception, and can't be imported.
        if type(error).__name__ != "PanicException":
            raise
        raise StorageUnavailable(f"{place}: the server gave an answer that makes no sense: {error}") from error


def is_about_the_bucket(error: FileNotFoundError) -> bool:
    """Whether it is the whole bucket that is missing."""
    return _found(_CODE, error) == "NoSuchBucket"


def _as_storage_error(error: BaseError, place: str) -> StorageError:
    if "redirect without LOCATION" in str(error):
        return s3_error("PermanentRedirect", 301, place)
    code, status = _found(_CODE, error), _found(_STATUS, error)
    return s3_error(code, int(status or 200), place) if code or status else no_answer(place)


def _found(pattern: re.Pattern[str], error: Exception) -> str:
    found = pattern.search(str(error))
    return found[1] if found else ""
