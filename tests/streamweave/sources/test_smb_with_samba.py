"""What only a server with share modes, locks and permissions can show."""

import fcntl
import os
import pwd
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from smbprotocol.open import CreateDisposition, FilePipePrinterAccessMask, ImpersonationLevel, Open, ShareAccess

from simlab.faults.files import connected_share
from simlab.shares import Share, serve
from streamweave.errors import FileDenied, FileInUse, ShareDenied
from streamweave.sources.smb import SmbAddress, SmbSource
from streamweave.sources.smb.listing import LEADS_BACK

SHARE_ALL = ShareAccess.FILE_SHARE_READ | ShareAccess.FILE_SHARE_WRITE | ShareAccess.FILE_SHARE_DELETE
SHARE_NOTHING = 0


@contextmanager
def instrument_writing(address: SmbAddress, source_path: str, share_access: int) -> Iterator[Any]:
    """Another client that holds a file open for writing."""
    with connected_share(address.host, address.port, address.share, address.username, address.password) as tree:
        file = Open(tree, address.path_on_share(source_path))
        access = FilePipePrinterAccessMask.FILE_READ_DATA | FilePipePrinterAccessMask.FILE_WRITE_DATA
        file.create(
            ImpersonationLevel.Impersonation, access, 0, share_access, CreateDisposition.FILE_OPEN_IF, create_options=0
        )
        yield file
        file.close()


def test_a_writer_is_noticed_while_it_holds_the_file_open_and_never_hindered(samba_bench: Any) -> None:
    path = f"{samba_bench.base}/scan.raw"
    source = samba_bench.source()
    with instrument_writing(samba_bench.address, path, SHARE_ALL) as file:
        file.write(b"first", 0)
        assert source.has_open_writer(path)
        file.write(b" second", 5)
        with source.open(path) as opened:
            assert b"".join(opened.chunks()) == b"first second"
            file.write(b" third", 12)
            assert opened.now().size_bytes == 18
            with instrument_writing(samba_bench.address, path, SHARE_ALL) as second_writer:
                second_writer.write(b" fourth", 18)
    assert not source.has_open_writer(path)
    with instrument_writing(samba_bench.address, path, SHARE_ALL):
        assert source.has_open_writer(path)


def test_a_file_that_its_writer_shares_with_nobody_is_in_use(samba_bench: Any) -> None:
    path = f"{samba_bench.base}/scan.raw"
    source = samba_bench.source()
    with instrument_writing(samba_bench.address, path, SHARE_NOTHING):
        with pytest.raises(FileInUse, match="held by another program"), source.open(path):
            pass
        assert source.has_open_writer(path)
    with source.open(path) as file:
        assert list(file.chunks()) == []


def test_samba_tells_of_a_rewritten_file_only_when_nobody_has_it_open_any_more(samba_bench: Any) -> None:
    """Why a large file is asked for anew when its copy is complete (``streamweave.harvest.copy_verify``)."""
    samba_bench.write("scan.raw", b"x" * 1000)
    path, source = f"{samba_bench.base}/scan.raw", samba_bench.source()
    with source.open(path) as file:
        before = file.now()
        (samba_bench.folder / "scan.raw").write_bytes(b"y" * 1000)
        assert file.now() == before
    with source.open(path) as file:
        assert file.now().mtime > before.mtime


def test_a_file_with_a_locked_range_is_in_use(samba_bench: Any) -> None:
    samba_bench.write("scan.raw", b"x" * 1000)
    source = samba_bench.source()
    with (samba_bench.folder / "scan.raw").open("r+b") as writer:
        fcntl.lockf(writer, fcntl.LOCK_EX)
        with source.open(f"{samba_bench.base}/scan.raw") as file, pytest.raises(FileInUse):
            list(file.chunks())


def test_a_file_cut_short_while_it_is_read_ends_where_it_ends(samba_bench: Any) -> None:
    samba_bench.write("scan.raw", b"x" * (30 << 20))
    with samba_bench.source().open(f"{samba_bench.base}/scan.raw") as file:
        chunks = file.chunks()
        received = len(next(chunks))
        os.truncate(samba_bench.folder / "scan.raw", 20 << 20)
        received += sum(map(len, chunks))
        assert file.now().size_bytes == 20 << 20
    assert 20 << 20 <= received <= 30 << 20


def test_times_are_told_to_the_microsecond(samba_bench: Any) -> None:
    samba_bench.write("scan.raw", b"x")
    os.utime(samba_bench.folder / "scan.raw", ns=(0, 1_741_523_415_123_456_789))
    (listing,) = samba_bench.source().listings()
    assert listing.files[0].mtime.microsecond == 123_456


def test_links_that_leave_the_share_or_lead_in_circles_are_not_followed(samba_bench: Any, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("outside")
    samba_bench.write("run/scan.raw", b"x")
    (samba_bench.folder / "run/circle").symlink_to("..")
    (samba_bench.folder / "outside").symlink_to(tmp_path)
    (samba_bench.folder / "nowhere").symlink_to("gone")
    listings = list(samba_bench.source().listings())
    problems = {listing.folder: str(listing.problem) for listing in listings if listing.problem}
    circle = f"{samba_bench.base}/run/circle"
    assert problems == {circle: f"{circle}: {LEADS_BACK}"}
    assert [each.folder for each in listings if not each.problem] == [samba_bench.base, f"{samba_bench.base}/run"]
    assert [file.source_path for listing in listings for file in listing.files] == [f"{samba_bench.base}/run/scan.raw"]


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that every user of the machine can reach."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def test_what_the_account_may_not_read_is_told_and_the_rest_goes_on(open_to_all: Path) -> None:
    share = open_to_all / "microscope"
    (share / "closed").mkdir(parents=True)
    (share / "open").mkdir()
    (share / "open" / "scan.raw").write_bytes(b"x")
    (share / "secret.raw").write_bytes(b"x")
    for closed in ("closed", "secret.raw"):
        (share / closed).chmod(0)
    options = {"force user": "nobody"} if os.geteuid() == 0 else {}
    with serve([Share("m", share)], kind="samba", work_folder=open_to_all / "server", options=options) as server:
        address = SmbAddress(server.host, server.port, "m", "/", server.username, server.password)
        source, base_denied = SmbSource(address), SmbSource(replace_base(address, "closed"))
        listings = {listing.folder: listing for listing in source.listings()}
        assert set(listings) == {"m", "m/open", "m/closed"}
        assert isinstance(listings["m/closed"].problem, FileDenied)
        assert [file.source_path for file in listings["m/open"].files] == ["m/open/scan.raw"]
        with pytest.raises(FileDenied, match=r"'labuser' may not read m/secret\.raw"), source.open("m/secret.raw"):
            pass
        with pytest.raises(ShareDenied, match="may not open the folder '/closed' of share 'm'"):
            list(base_denied.listings())
        source.close()
        base_denied.close()


def test_a_share_that_the_account_may_not_open_is_denied(own_server_on_samba: Any) -> None:
    server = own_server_on_samba.start(invalid_users=pwd.getpwuid(os.geteuid()).pw_name)
    with pytest.raises(ShareDenied, match="may not open the share 'microscope'"):
        list(own_server_on_samba.bench(server).source().listings())


def replace_base(address: SmbAddress, base_path: str) -> SmbAddress:
    return SmbAddress(address.host, address.port, address.share, base_path, address.username, address.password)
