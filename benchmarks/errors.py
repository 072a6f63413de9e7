"""What can go wrong in a benchmark: then there is no number, rather than a wrong one."""


class BenchmarkFailed(Exception):
    """A contestant did not do its work, or something that was started does not answer."""
