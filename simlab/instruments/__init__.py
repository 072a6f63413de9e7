"""Generators: they write into an instrument's folder the way instruments do.

Each is an iterator that writes one step whenever it is asked for the next, and yields what then stands on the disk;
it pauses between steps by calling `sleep`, so a test can step through a recording without waiting. None overwrites a
file: `FileExistsError` is raised instead.
"""

from simlab.instruments.acquisition import acquisition
from simlab.instruments.burst import burst
from simlab.instruments.growing import growing_file
from simlab.instruments.large import large_file
from simlab.instruments.renamed import renamed_file
from simlab.instruments.step import Step

__all__ = ["Step", "acquisition", "burst", "growing_file", "large_file", "renamed_file"]
