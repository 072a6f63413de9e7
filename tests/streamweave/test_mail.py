"""Mails over real SMTP servers, plain and encrypted."""

import logging
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from streamweave.mail import Mailer

Start = Callable[..., Any]


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for localhost, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    signed = builder.sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path / "localhost.pem"
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.fixture
def encrypted(start_smtp_server: Start, certificate: Path) -> Any:
    """A server that wants encryption, then the password ``secret`` of ``streamweave``."""

    def authenticate(
        _server: object, _session: object, _envelope: object, _how: str, data: LoginPassword
    ) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (b"streamweave", b"secret"), handled=False)

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return start_smtp_server(tls_context=context, require_starttls=True, auth_required=True, authenticator=authenticate)


def test_a_mail_arrives_as_it_was_written(smtp_server: Any) -> None:
    mailer = Mailer("127.0.0.1", smtp_server.port, starttls=False, sender="facility@test.org")
    assert mailer.send("researcher@test.org", "Ein Gruß", "Hallo, Welt …\n")
    (mail,) = smtp_server.mails
    assert (mail["From"], mail["To"], mail["Subject"]) == ("facility@test.org", "researcher@test.org", "Ein Gruß")
    assert mail.get_content().splitlines() == ["Hallo, Welt …"]
    assert mail["Date"]
    assert mail["Message-ID"].endswith("@test.org>")


@pytest.mark.parametrize("between", ["\u2028", "\u2029", "\x85", "\r\n"])
def test_a_name_with_a_line_break_of_any_kind_makes_no_second_header(smtp_server: Any, between: str) -> None:
    mailer = Mailer("127.0.0.1", smtp_server.port, starttls=False)
    mailer.deliver("researcher@test.org", f"Microscope{between}Bcc: other@test.org", "Hello\n")
    (mail,) = smtp_server.mails
    assert (mail["Subject"], mail["Bcc"]) == ("Microscope Bcc: other@test.org", None)


def test_a_mailer_does_not_show_its_password() -> None:
    assert "geheim" not in repr(Mailer(password="geheim"))


def test_an_encrypted_server_is_logged_in_to(
    encrypted: Any, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert Mailer("localhost", encrypted.port, "streamweave", "secret").send("a@test.org", "Subject", "Text")
    assert len(encrypted.mails) == 1


def test_a_server_that_is_not_proven_gets_neither_password_nor_mail(
    encrypted: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert not Mailer("localhost", encrypted.port, "streamweave", "secret").send(
        "a@test.org", "Subject", "a secret text"
    )
    assert encrypted.mails == []
    assert "no mail to a@test.org" in caplog.text
    assert "a secret text" not in caplog.text


def test_a_server_that_does_not_encrypt_gets_no_mail_that_must_be(smtp_server: Any) -> None:
    assert not Mailer("127.0.0.1", smtp_server.port).send("a@test.org", "Subject", "Text")
    assert smtp_server.mails == []


def test_a_wrong_password_is_in_the_log(
    encrypted: Any, certificate: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert not Mailer("localhost", encrypted.port, "streamweave", "wrong").send("a@test.org", "Subject", "Text")
    assert "535" in caplog.text
    assert "wrong" not in caplog.text


def test_without_a_server_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert not Mailer().send("a@test.org", "Subject", "Text")
    assert "STREAMWEAVE_SMTP_HOST is not set" in caplog.text


def test_nobody_smuggles_a_header_into_a_mail(smtp_server: Any) -> None:
    with pytest.raises(ValueError, match="linefeed"):
        Mailer("127.0.0.1", smtp_server.port, starttls=False).send("a@test.org\nBcc: b@test.org", "Subject", "Text")
