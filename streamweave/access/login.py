"""Logging in with an e-mail address and a password, and the limits on attempts.

Attempts are counted in the catalog, so all processes of the service count together. There are three counts: one address
on one account, one address on all accounts, and one account from all addresses. When a count is used up, further
attempts are refused unchecked until its lock ends; these are not counted, so a lock can't be prolonged. The third count
doesn't concern addresses from which the account has logged in before: strangers can't lock a user out of it there.

Registrations, password resets and requests for mails are counted by address likewise, each kind for itself.
"""

import hashlib
import ipaddress
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import case, delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from streamweave.access.passwords import password_matches
from streamweave.access.tokens import sweep
from streamweave.access.users import user_by_email
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import KnownAddress, LoginCount, User
from streamweave.errors import NotAuthenticated, TooBusy, TooManyAttempts
from streamweave.hosts import address_of

KNOWN_FOR = timedelta(days=90)
# one subscriber has at least so much of IPv6 (RFC 6177)
IPV6_PREFIX = 64


@dataclass(frozen=True, slots=True)
class LoginLimits:
    """How many attempts each count allows within the window, and how long too many lock. Each at least 2."""

    window_seconds: int = 900
    lock_seconds: int = 900
    attempts: int = 10
    attempts_per_account: int = 100
    attempts_per_address: int = 100


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to log in: an account's e-mail address, whether it exists or not, and a client's network address."""

    email: str
    address: str

    @property
    def pair(self) -> bytes:
        """This account from this address."""
        return _key("pair", self.email.lower(), network_of(self.address))

    @property
    def account(self) -> bytes:
        """This account from anywhere."""
        return _key("account", self.email.lower())

    @property
    def place(self) -> bytes:
        """Any account from this address."""
        return _key("address", network_of(self.address))


@contextmanager
def counted_attempt(sessions: Sessions, limits: LoginLimits, attempt: Attempt) -> Iterator[None]:
    """Count an attempt to log in before it is checked: many at once must not slip through.

    Raises ``TooManyAttempts``. An attempt that ends with ``TooBusy`` was not checked, and doesn't count.
    """
    allowed = {attempt.pair: limits.attempts, attempt.place: limits.attempts_per_address}
    with sessions() as session:
        if not _is_known(session, attempt):
            allowed[attempt.account] = limits.attempts_per_account
    with _counted(sessions, limits, allowed):
        yield


@contextmanager
def counted_request(
    sessions: Sessions, limits: LoginLimits, kind: str, address: str, email: str | None = None
) -> Iterator[None]:
    """Count a request of that kind from a network address, as many as may try to log in from there; as the above.

    With ``email`` it is counted for that account instead: as many as may try to log in to it from one address.
    """
    key, most = _key(kind, network_of(address)), limits.attempts_per_address
    if email is not None:
        key, most = _key(f"{kind} of account", email.lower()), limits.attempts
    with _counted(sessions, limits, {key: most}):
        yield


def forgive_attempt(session: Session, attempt: Attempt) -> None:
    """Clear the count of this account from this address, and take the attempt back from the other counts."""
    for key in sorted((attempt.pair, attempt.place, attempt.account)):
        if key == attempt.pair:
            session.execute(delete(LoginCount).where(LoginCount.key == key))
        else:
            _take_back(session, key)
    known = insert(KnownAddress).values(key=attempt.pair, ends_at=func.now() + KNOWN_FOR)
    session.execute(
        known.on_conflict_do_update(index_elements=[KnownAddress.key], set_={"ends_at": known.excluded.ends_at})
    )


def network_of(address: str) -> str:
    """What counts as one address: an IPv4 address, or the IPv6 network that one subscriber has."""
    ip = address_of(address)
    if ip is None:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip.packed, IPV6_PREFIX), strict=False))


def _is_known(session: Session, attempt: Attempt) -> bool:
    known = exists().where(KnownAddress.key == attempt.pair, KnownAddress.ends_at > func.now())
    return bool(session.scalar(select(known)))


@contextmanager
def _counted(sessions: Sessions, limits: LoginLimits, allowed: Mapping[bytes, int]) -> Iterator[None]:
    with sessions.begin() as session:
        for key in sorted(allowed):  # in the same order everywhere, so that no two wait for each other
            _count(session, key, allowed[key], limits)
    try:
        yield
    except TooBusy:
        with sessions.begin() as session:
            for key in sorted(allowed):
                _take_back(session, key)
        raise


def _take_back(session: Session, key: bytes) -> None:
    counted = update(LoginCount).where(LoginCount.key == key, LoginCount.attempts > 0)
    session.execute(counted.values(attempts=LoginCount.attempts - 1))


def _count(session: Session, key: bytes, allowed: int, limits: LoginLimits) -> None:
    now, window, lock = func.now(), timedelta(seconds=limits.window_seconds), timedelta(seconds=limits.lock_seconds)
    is_over = LoginCount.ends_at <= now
    is_last = LoginCount.attempts + 1 == allowed
    first = insert(LoginCount).values(key=key, attempts=1, ends_at=now + window)
    counted = first.on_conflict_do_update(
        index_elements=[LoginCount.key],
        set_={
            "attempts": case((is_over, 1), else_=LoginCount.attempts + 1),
            "ends_at": case((is_over, now + window), (is_last, now + lock), else_=LoginCount.ends_at),
        },
    )
    left = func.extract("epoch", LoginCount.ends_at - now)
    attempts, seconds = session.execute(counted.returning(LoginCount.attempts, left)).one()
    if attempts > allowed:
        raise TooManyAttempts(max(1, math.ceil(seconds)))


def _key(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode(errors="backslashreplace")).digest()


def log_in(sessions: Sessions, limits: LoginLimits, attempt: Attempt, password: str) -> User:
    """The active user whom address and password belong to; nothing of the catalog is held while passwords are compared.

    Raises ``NotAuthenticated``, which doesn't say what was wrong, ``TooManyAttempts`` or ``TooBusy``.
    """
    with counted_attempt(sessions, limits, attempt):
        with sessions() as session:
            user = user_by_email(session, attempt.email)
        matches = password_matches(password, user.password_hash if user else None)
    if user is None or not matches or not user.is_active or user.awaits_verification:
        raise NotAuthenticated("wrong e-mail address or password")
    with sessions.begin() as session:
        forgive_attempt(session, attempt)
        sweep(session)
    return user
