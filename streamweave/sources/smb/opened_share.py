"""A share, connected, authenticated and opened by smbprotocol: where both engines begin."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec

from smbprotocol.session import Session
from smbprotocol.tree import TreeConnect

from streamweave.errors import AuthenticationUnavailable, SourceError
from streamweave.sources.smb.address import Authentication, SmbAddress
from streamweave.sources.smb.connection import CREDITS_WANTED
from streamweave.sources.smb.faults import SESSION, TREE, Fault
from streamweave.sources.smb.negotiation import hang_up, negotiated
from streamweave.sources.smb.wire_errors import WIRE_ERRORS, as_source_error


class OpenedShare:
    """smbprotocol's connection, session and tree. ``close`` is its owner's duty.

    Raises ``SourceUnreachable``, ``HostNotAllowed``, ``EncryptionMissing``, ``AuthenticationUnavailable``,
    ``CredentialsRefused``, ``ShareMissing`` or ``ShareDenied`` when it can't connect.
    """

    def __init__(self, address: SmbAddress) -> None:
        self.address = address
        self.connection = negotiated(address)
        self.session = Session(
            self.connection,
            address.account,
            address.password,
            require_encryption=address.require_encryption,
            hostname_override=address.host,
            auth_protocol=_protocol(address.authentication),
        )
        self.tree = TreeConnect(self.session, rf"\\{address.host}\{address.share}")
        try:
            self._connect()
        except SourceError:
            self.close()
            raise

    def _connect(self) -> None:
        with self._faults(SESSION):
            self._authenticate()
        with self._faults(TREE):
            self.tree.connect()

    def _authenticate(self) -> None:
        try:
            self.session.connect()
        except ImportError as error:
            # pyspnego looks for the system's Kerberos only when it is asked for it
            raise AuthenticationUnavailable(
                f"{self.address.server} is to be asked with {self.address.authentication} authentication, which needs "
                "the extra streamweave[kerberos] installed wherever this share is read"
            ) from error

    @contextmanager
    def _faults(self, table: Mapping[int, Fault]) -> Iterator[None]:
        try:
            yield
        except WIRE_ERRORS as wire_error:
            raise as_source_error(wire_error, table, self.address) from wire_error

    def ask_for_credits(self) -> None:
        """Widen the window of requests under way; smbprotocol itself asks for 64. Raises ``SourceUnreachable``."""
        with self._faults({}):
            self.connection.echo(sid=self.session.session_id, credit_request=CREDITS_WANTED)

    def close(self) -> None:
        """Close the socket, which ends smbprotocol's thread; the server then lets go of everything we held."""
        hang_up(self.connection)


def _protocol(authentication: Authentication) -> str:
    """NTLM goes within SPNEGO, as every server knows it, unless there is a Kerberos that would be preferred to it."""
    return "negotiate" if authentication == "ntlm" and find_spec("gssapi") is None else authentication
