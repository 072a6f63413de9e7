"""Mails that are sent after an answer: else the time it takes would tell whether there is such a user."""

from collections.abc import Callable

from litestar.background_tasks import BackgroundTask

from streamweave.catalog.session import Sessions
from streamweave.mail import Mailer
from streamweave_api.service import Service
from streamweave_api.threads import Threads

# a mail server that is slow to answer must hold up mails alone
_THREADS = Threads("mails", 2)


def mailed(service: Service, mail: Callable[[Sessions, Mailer, str, str], None], email: str) -> BackgroundTask:
    """What sends that mail to the address."""
    return BackgroundTask(_THREADS.run, mail, service.sessions, service.mailer, service.public_url, email)
