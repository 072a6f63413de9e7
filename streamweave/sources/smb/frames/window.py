"""The window of message ids that a server lets us use: what its credits allow ([MS-SMB2] 3.2.4.1.6)."""

from streamweave.sources.smb.connection import CREDITS_WANTED


class Window:
    """Ids are used in order. ``credits`` is how many are left."""

    def __init__(self, next_id: int, credits_left: int) -> None:
        self._next_id = next_id
        self.credits = credits_left

    def use(self, charge: int) -> int:
        """The id of a request that costs ``charge`` credits, and so as many ids."""
        message_id = self._next_id
        self._next_id += charge
        self.credits -= charge
        return message_id

    def wanted(self, charge: int) -> int:
        """How many credits to ask for with a request that costs ``charge``."""
        return max(charge, CREDITS_WANTED - self.credits)

    def widen(self, granted: int) -> None:
        """The server has granted credits."""
        self.credits += granted
