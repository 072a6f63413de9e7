"""Mails to people, sent over SMTP (RFC 5321)."""

import logging
import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Mailer:
    """The server that takes our mails, and their sender. Without a ``host`` none are sent, and the log says so."""

    host: str = ""
    port: int = 587
    user: str = ""
    password: str = ""
    starttls: bool = True
    sender: str = "streamweave@localhost"

    def send(self, receiver: str, subject: str, text: str) -> bool:
        """Whether the server took the mail. A mail that can't be sent is in the log, without its text."""
        if not self.host:
            logger.warning("no mail to %s (%s): STREAMWEAVE_SMTP_HOST is not set", receiver, subject)
            return False
        try:
            self._hand_over(self._mail(receiver, subject, text))
        except (OSError, smtplib.SMTPException) as error:
            logger.warning("no mail to %s (%s): %s:%s: %s", receiver, subject, self.host, self.port, error)
            return False
        return True

    def _mail(self, receiver: str, subject: str, text: str) -> EmailMessage:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self.sender, receiver, subject
        mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain=self.sender.rpartition("@")[2])
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
