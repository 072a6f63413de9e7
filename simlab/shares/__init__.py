"""Shares, served over SMB by a real server: Samba where it is installed, else impacket."""

import fcntl
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from simlab.errors import InUseError, NoShareServerError, PortTakenError, ShareServerError
from simlab.shares import impacket, samba
from simlab.shares.base import Share, ShareServer, ShareServerKind, free_port, is_free

__all__ = ["Share", "ShareServer", "available_kinds", "serve"]

KINDS: dict[str, ShareServerKind] = {samba.KIND: samba, impacket.KIND: impacket}
PORTS_TRIED = 3


def available_kinds() -> tuple[str, ...]:
    """Return the kinds of share server that can run here, the most capable first."""
    return tuple(kind for kind, server in KINDS.items() if server.is_available())


@contextmanager
def serve(
    shares: Sequence[Share],
    *,
    kind: str | None = None,
    port: int | None = None,
    work_folder: Path,
    username: str = "labuser",
    password: str | None = None,
    options: Mapping[str, str] | None = None,
) -> Iterator[ShareServer]:
    """Serve `shares` on loopback until the context ends; when it begins, the server lets its user in.

    `kind` is one of `available_kinds()`, by default the first; `port` by default a free one; `password` by default
    made up. The server keeps its files in `work_folder`, which must not lie in a share. `options` are further
    options of Samba's `[global]` section; with impacket, `behaviour` alone.

    Raises `NoShareServerError`, `PortTakenError` for a port asked for, `ShareServerError`, `InUseError`.
    """
    _refuse_work_folder_in_a_share(work_folder, shares)
    work_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _lock(work_folder):
        server = _start(
            kind,
            port,
            shares=shares,
            work_folder=work_folder.absolute(),
            username=username,
            password=password or secrets.token_urlsafe(18),
            options=options or {},
        )
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def _lock(work_folder: Path) -> Iterator[None]:
    with (work_folder / "in-use").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InUseError(f"Another server keeps its files in {work_folder}.") from error
        yield


def _start(
    kind: str | None,
    port: int | None,
    *,
    shares: Sequence[Share],
    work_folder: Path,
    username: str,
    password: str,
    options: Mapping[str, str],
) -> ShareServer:
    kinds = available_kinds()
    if not kinds or kind not in (None, *kinds):
        raise NoShareServerError(_what_is_missing(kind))
    if port is not None and not is_free(port):
        raise PortTakenError(f"Port {port} is taken, or only root may listen on it.")
    start = KINDS[kind or kinds[0]].start
    for _ in range(PORTS_TRIED):
        chosen_port = port or free_port()
        try:
            return start(
                shares,
                port=chosen_port,
                work_folder=work_folder,
                username=username,
                password=password,
                options=options,
            )
        except ShareServerError:
            if is_free(chosen_port):
                raise
    raise PortTakenError(f"Port {chosen_port} was taken while the server started.")


def _what_is_missing(kind: str | None) -> str:
    if kind is not None and kind in KINDS:
        return f"Shares can't be served with {kind}: it is not installed."
    if kind is not None:
        return f"{kind!r} is no kind of share server: it is one of {', '.join(KINDS)}."
    return "Shares need an SMB server: install Samba (smbd), or the optional extra streamweave[simlab]."


def _refuse_work_folder_in_a_share(work_folder: Path, shares: Sequence[Share]) -> None:
    for share in shares:
        if work_folder.absolute().is_relative_to(share.folder.absolute()):
            raise ValueError(f"The server's own folder {work_folder} lies in the share {share.name}.")
