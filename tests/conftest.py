"""What all tests share: one real PostgreSQL for each test process, and a fresh catalog in it for each test."""

import ssl
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, settings
from sqlalchemy.engine import Engine

from streamweave.catalog.schema import upgrade_schema
from streamweave.catalog.session import Sessions, catalog_engine, catalog_sessions
from streamweave_cli.databases import ensure_database
from streamweave_cli.postgres import EmbeddedPostgres

pytest_plugins = ["bench"]

# a busy machine is no fault of what is tested
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

DEADLINE_SECONDS = 60.0


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Wait until a condition holds; fail when it doesn't within `DEADLINE_SECONDS`."""

    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, "the condition was never met"
            time.sleep(0.02)

    return wait


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL server of our own on a free port."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres") / "data", durable=False)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def template_database(postgres: EmbeddedPostgres) -> str:
    """A migrated database that each test's own is copied from."""
    ensure_database(postgres.url("template_catalog"))
    engine = catalog_engine(postgres.url("template_catalog"))
    upgrade_schema(engine)
    engine.dispose()
    return "template_catalog"


class CatalogPool:
    """Empty, migrated catalogs, which tests take and give back: emptying one is a hundred times faster than a new one.

    One whose schema, settings, statistics or size a test has changed is dropped instead.
    """

    def __init__(self, postgres: EmbeddedPostgres, template: str) -> None:
        self._postgres, self._template = postgres, template
        self._free: list[str] = []
        with self._connected(template) as connection:
            self._tables = [name for (name,) in connection.execute(TABLES)]
            self._rows = {table: self._rows_of(connection, table) for table in self._tables}
            self._shape = connection.execute(SHAPE).fetchone()

    def take(self) -> str:
        """The name of one."""
        if self._free:
            return self._free.pop()
        name = f"test_{uuid.uuid4().hex}"
        with self._connected("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {self._template}")
        return name

    def give_back(self, name: str) -> None:
        """Ends whatever is still connected to it, and empties it."""
        with self._connected(name) as connection:
            connection.execute(END_OTHERS)
            is_as_new = connection.execute(SHAPE).fetchone() == self._shape
            if is_as_new:
                self._empty(connection)
        if is_as_new:
            self._free.append(name)
        else:
            with self._connected("postgres") as connection:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _empty(self, connection: psycopg.Connection) -> None:
        with connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")  # no triggers, no foreign keys
            connection.execute(";".join(f"DELETE FROM {table}" for table in self._tables))
            for table, rows in self._rows.items():
                for row in rows:
                    connection.execute(
                        f"INSERT INTO {table} SELECT * FROM jsonb_populate_record(NULL::{table}, %s::jsonb)", row
                    )

    def _rows_of(self, connection: psycopg.Connection, table: str) -> list[tuple[str]]:
        return connection.execute(f"SELECT to_jsonb({table})::text FROM {table}").fetchall()

    def _connected(self, name: str) -> psycopg.Connection:
        return psycopg.connect(self._postgres.url(name).replace("+psycopg", ""), autocommit=True)


TABLES = "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'"
END_OTHERS = """
    SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
SHAPE = """
    SELECT (SELECT (count(*), sum(oid::bigint), sum(relfilenode::bigint)) FROM pg_class WHERE oid >= 16384)::text,
           (SELECT count(*) FROM pg_attribute WHERE attrelid >= 16384),
           (SELECT (count(*), sum(oid::bigint)) FROM pg_constraint WHERE conrelid >= 16384)::text,
           (SELECT string_agg(tgenabled::text, '' ORDER BY oid) FROM pg_trigger),
           (SELECT (count(*), max(oid)) FROM pg_proc)::text,
           (SELECT count(*) FROM pg_namespace),
           (SELECT count(*) FROM pg_statistic WHERE starelid >= 16384),
           (SELECT count(*) FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase
            WHERE d.datname = current_database()),
           pg_database_size(current_database()) > 32000000
"""


@pytest.fixture(scope="session")
def catalog_pool(postgres: EmbeddedPostgres, template_database: str) -> CatalogPool:
    """Where each test's catalog comes from."""
    return CatalogPool(postgres, template_database)


@pytest.fixture
def database_url(postgres: EmbeddedPostgres, catalog_pool: CatalogPool) -> Iterator[str]:
    """The address of an empty, migrated catalog."""
    name = catalog_pool.take()
    yield postgres.url(name)
    catalog_pool.give_back(name)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine over the test's catalog."""
    engine = catalog_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def sessions(engine: Engine) -> Sessions:
    """Sessions over the test's catalog."""
    return catalog_sessions(engine)


@pytest.fixture
def repository_root() -> Path:
    """The folder that holds pyproject.toml."""
    return Path(__file__).resolve().parent.parent


class SmtpServer(Controller):
    """A mail server on a free port of loopback, which keeps what it is handed in ``mails``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(self, hostname="127.0.0.1", port=0, **options)
        self.mails: list[EmailMessage] = []

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


@pytest.fixture
def start_smtp_server() -> Iterator[Callable[..., SmtpServer]]:
    """Starts mail servers with the options of aiosmtpd's ``SMTP``."""
    started: list[SmtpServer] = []

    def start(**options: Any) -> SmtpServer:
        server = SmtpServer(**options)
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def smtp_server(start_smtp_server: Callable[..., SmtpServer]) -> SmtpServer:
    """A mail server that takes everything from everybody."""
    return start_smtp_server()


@dataclass(frozen=True, slots=True)
class Received:
    """A request as the receiver of a webhook saw it; header names are in lower case."""

    headers: Mapping[str, str]
    body: bytes


class WebhookReceiver(ThreadingHTTPServer):
    """An HTTP server on a free port of loopback. It keeps what it receives, and answers what ``answer`` says.

    ``answer`` gives status, headers and body for a request.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _WebhookRequest)
        self.received: list[Received] = []
        self.answer: Callable[[Received], tuple[int, Mapping[str, str], bytes]] = lambda request: (200, {}, b"{}")
        self.scheme = "http"
        self.port = int(self.server_address[1])

    def url(self, host: str = "127.0.0.1") -> str:
        """Where it listens."""
        return f"{self.scheme}://{host}:{self.port}/hook"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hangs up on it is of no interest."""


class _WebhookRequest(BaseHTTPRequestHandler):
    server: WebhookReceiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        request = Received({name.lower(): value for name, value in self.headers.items()}, body)
        self.server.received.append(request)
        status, headers, answer = self.server.answer(request)
        self.send_response(status)
        for name, value in {"content-length": str(len(answer)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *line: Any) -> None:
        """Tests read ``received`` instead."""


@contextmanager
def _serving(server: WebhookReceiver) -> Iterator[WebhookReceiver]:
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def webhook_receiver() -> Iterator[WebhookReceiver]:
    """A receiver of webhooks over http."""
    with _serving(WebhookReceiver()) as server:
        yield server


@pytest.fixture
def secure_webhook_receiver(tmp_path: Path) -> Iterator[WebhookReceiver]:
    """A receiver of webhooks over https, whose certificate for ``hooks.example`` is its own authority.

    It lies in ``hooks.example.pem``, below the test's own folder.
    """
    server = WebhookReceiver()
    server.scheme = "https"
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(_certificate("hooks.example", tmp_path))
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with _serving(server):
        yield server


def _certificate(host: str, folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{host}.pem"
    private = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(key.private_bytes(*private) + certificate.public_bytes(serialization.Encoding.PEM))
    return file
