"""What goes wrong in a simulated laboratory.

SimlabError
├── NoShareServerError      no program that can serve SMB is installed, or not the one asked for
├── PortTakenError          something else listens on the port asked for
├── ShareServerError        the server ended, or did not answer, before it could be used
├── InUseError              another server already keeps its files in the work folder
├── UnknownInstrumentError  the seed has no instrument of that slug
├── UnknownScenarioError    there is no fault of that name
├── NothingToSpoilError     a fault needs files, and there are none
└── StateError              what the laboratory remembered from its last start can't be read
"""


class SimlabError(Exception):
    """Base of simlab's errors; its text is one sentence for the person at the terminal."""


class NoShareServerError(SimlabError):
    """No program that can serve an SMB share is installed, or not the one asked for."""


class PortTakenError(SimlabError):
    """Something else listens on the port asked for."""


class ShareServerError(SimlabError):
    """The server ended, or did not answer in time; the text carries the end of its log."""


class InUseError(SimlabError):
    """Another server that runs now keeps its files in the same work folder."""


class UnknownInstrumentError(SimlabError):
    """The seed has no instrument of that slug."""


class UnknownScenarioError(SimlabError):
    """There is no fault of that name."""


class NothingToSpoilError(SimlabError):
    """A fault needs files that it can spoil, and the share has none."""


class StateError(SimlabError):
    """What the laboratory remembered from its last start can't be read."""
