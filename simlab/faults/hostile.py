"""Faults of a server that breaks the protocol: another server answers in its place, at the same address."""

from collections.abc import Iterator
from contextlib import contextmanager

from simlab.faults.stage import SHARE, Stage
from simlab.shares import Share, impacket, serve


@contextmanager
def _answered_by(stage: Stage, behaviour: str) -> Iterator[None]:
    work = stage.folder.with_name(f"{stage.folder.name}.{behaviour}")
    with (
        serve(
            [Share(SHARE, stage.folder)],
            kind=impacket.KIND,
            work_folder=work,
            username=stage.username,
            password=stage.password,
            options={"behaviour": behaviour},
        ) as server,
        stage.line.leading_to(server.port),
    ):
        yield


@contextmanager
def endless_folder(stage: Stage) -> Iterator[None]:
    """The listing of one folder never ends: there is always one more name."""
    with _answered_by(stage, "endless-folder"):
        yield


@contextmanager
def repeated_names(stage: Stage) -> Iterator[None]:
    """The listing of one folder never ends: the same names come again and again."""
    with _answered_by(stage, "repeated-names"):
        yield


@contextmanager
def endless_nesting(stage: Stage) -> Iterator[None]:
    """One folder holds a folder that holds a folder, without end."""
    with _answered_by(stage, "endless-nesting"):
        yield


@contextmanager
def endless_folders(stage: Stage) -> Iterator[None]:
    """One folder holds four hundred folders, each of which holds four hundred, without end."""
    with _answered_by(stage, "endless-folders"):
        yield


@contextmanager
def huge_names(stage: Stage) -> Iterator[None]:
    """One folder shows names of many thousand characters."""
    with _answered_by(stage, "huge-names"):
        yield


@contextmanager
def impossible_sizes(stage: Stage) -> Iterator[None]:
    """The server lists sizes and times that no file has, beside files as they are."""
    with _answered_by(stage, "impossible-sizes"):
        yield


@contextmanager
def silent_listing(stage: Stage) -> Iterator[None]:
    """The server answers everything but the listing of one folder."""
    with _answered_by(stage, "silent-listing"):
        yield
