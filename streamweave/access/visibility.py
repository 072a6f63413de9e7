"""Who may see which files. Every query on files, versions and transfers goes through this one rule."""

from sqlalchemy import ColumnElement, false, true

from streamweave.catalog.tables import User


def visible_files(viewer: User) -> ColumnElement[bool]:
    """The condition on ``FileRecord`` that holds for what ``viewer`` may see.

    Files are private unless something opens them: an admin sees all, and nothing opens a file to anybody else yet.
    """
    return true() if viewer.is_admin else false()
