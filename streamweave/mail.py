"""Mails to people, sent over SMTP (RFC 5321)."""

import logging
import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from streamweave.errors import MailNotTaken
from streamweave.settings import Settings

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Mailer:
    """The server that takes our mails, and their sender. Without a ``host`` none are sent, and the log says so."""

    host: str = ""
    port: int = 587
    user: str = ""
    password: str = field(default="", repr=False)
    starttls: bool = True
    sender: str = "streamweave@localhost"

    def send(self, receiver: str, subject: str, text: str) -> bool:
        """Whether the server took the mail. A mail that can't be sent is in the log, without its text."""
        try:
            self.deliver(receiver, subject, text)
        except MailNotTaken as error:
            logger.warning("no mail to %s (%s): %s", receiver, subject, error)
            return False
        return True

    def deliver(self, receiver: str, subject: str, text: str, *, message_name: str | None = None) -> None:
        """Hand the mail to the server. Raises ``MailNotTaken``.

        A ``message_name`` makes the Message-ID, so that the same mail can be recognised when it comes again.
        """
        if not self.host:
            raise MailNotTaken("STREAMWEAVE_SMTP_HOST is not set")
        mail = self._mail(receiver, subject, text, message_name)
        try:
            self._hand_over(mail)
        except (OSError, smtplib.SMTPException) as error:
            raise MailNotTaken(f"{self.host}:{self.port}: {error}") from error

    def _mail(self, receiver: str, subject: str, text: str, name: str | None) -> EmailMessage:
        domain = self.sender.rpartition("@")[2]
        mail = EmailMessage()
        # subjects quote names, which may hold what Unicode calls the end of a line
        mail["From"], mail["To"], mail["Subject"] = self.sender, receiver, " ".join(subject.splitlines())
        mail["Date"], mail["Message-ID"] = formatdate(), f"<{name}@{domain}>" if name else make_msgid(domain=domain)
        mail["Auto-Submitted"] = "auto-generated"  # no out-of-office replies, please (RFC 3834)
        mail.set_content(text)
        return mail

    def _hand_over(self, mail: EmailMessage) -> None:
        with smtplib.SMTP(self.host, self.port, timeout=ANSWER_SECONDS) as server:
            if self.starttls:
                server.starttls(context=ssl.create_default_context())
            if self.user:
                server.login(self.user, self.password)
            server.send_message(mail)


def mailer_of(settings: Settings) -> Mailer:
    return Mailer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        user=settings.smtp_user,
        password=settings.smtp_password.get_secret_value(),
        starttls=settings.smtp_starttls,
        sender=settings.mail_from,
    )
