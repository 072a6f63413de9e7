"""Waiting: a version for which a hook that calls out has failed, as its row holds it. Pure."""

import uuid
from datetime import datetime
from typing import NamedTuple, Self

from streamweave.catalog.tables import FileVersion
from streamweave.errors import HookUnanswered
from streamweave.hooks.calling.policy import delay_after


class Waiting(NamedTuple):
    """How often in a row which hook has failed, under hooks of which fingerprint, and until when none is asked."""

    hook_failures: int = 0
    failing_hook_id: uuid.UUID | None = None
    failing_hooks: str | None = None
    hook_retry_at: datetime | None = None

    def failures_of(self, hook_id: uuid.UUID | None, hooks: str) -> int:
        """How often in a row this hook has failed, under the hooks of that fingerprint."""
        return self.hook_failures if (self.failing_hook_id, self.failing_hooks) == (hook_id, hooks) else 0

    def after(self, failure: HookUnanswered, hooks: str, now: datetime) -> Self:
        """What follows from a further failure."""
        failures = self.failures_of(failure.hook_id, hooks) + 1
        return self._replace(
            hook_failures=failures,
            failing_hook_id=failure.hook_id,
            failing_hooks=hooks,
            hook_retry_at=now + delay_after(failures, failure.delay_seconds),
        )


ANSWERED = Waiting()
"""Once the hooks have answered, nothing is left of their failures."""
WAITING_COLUMNS = [getattr(FileVersion, name) for name in Waiting._fields]
"""As ``Waiting`` takes them."""
