"""What can go wrong in a soak itself: then there is no verdict, rather than a wrong one."""


class SoakFailed(Exception):
    """Something that was started does not answer, or an experiment can't be made here."""
