"""Every dialect, signature and cipher, demanded by the server: both engines list and read the same, errors included."""

import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from simlab.shares import Share, serve
from streamweave.errors import FileVanished, SourceFileError
from streamweave.sources.base import FolderListing, SourceFile, WholeFile
from streamweave.sources.smb import SmbAddress, SmbSource
from streamweave.sources.smb.frames.connection import FramesConnection
from streamweave.sources.smb.frames.protection import AES_128_CCM, AES_CMAC, HMAC_SHA256
from streamweave.sources.smb.public.connection import PublicConnection

CONTENTS = {f"run{number % 3}/{number:02}.raw": random.Random(number).randbytes(number**3 * 40) for number in range(24)}
LARGE = random.Random(0).randbytes(3_000_001)
SIGNED, ENCRYPTED = {"server signing": "mandatory"}, {"server smb encrypt": "required"}

# what the server is told to demand; the dialect, the signing algorithm and the cipher ([MS-SMB2] 2.2.3.1) of it
DEMANDS: dict[str, tuple[dict[str, str], tuple[int, int | None, int | None]]] = {
    "2.1 signed": (SIGNED | {"server max protocol": "SMB2_10"}, (0x210, HMAC_SHA256, None)),
    "3.0 signed": (SIGNED | {"server max protocol": "SMB3_00"}, (0x300, AES_CMAC, None)),
    "3.0 encrypted": (ENCRYPTED | {"server max protocol": "SMB3_00"}, (0x300, None, AES_128_CCM)),
    "3.0.2 signed": (SIGNED | {"server max protocol": "SMB3_02"}, (0x302, AES_CMAC, None)),
    "3.0.2 encrypted": (ENCRYPTED | {"server max protocol": "SMB3_02"}, (0x302, None, AES_128_CCM)),
    **{
        f"3.1.1 {algorithm}": (SIGNED | {"server smb3 signing algorithms": algorithm}, (0x311, number, None))
        for number, algorithm in enumerate(["hmac-sha256", "aes-128-cmac", "aes-128-gmac"])
    },
    **{
        f"3.1.1 {cipher}": (ENCRYPTED | {"server smb3 encryption algorithms": cipher}, (0x311, None, number))
        for number, cipher in enumerate(["aes-128-ccm", "aes-128-gcm", "aes-256-ccm", "aes-256-gcm"], start=1)
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files of all sizes."""
    share: Path = tmp_path_factory.mktemp("protected") / "microscope"
    for path, content in {**CONTENTS, "large.raw": LARGE}.items():
        (share / path).parent.mkdir(parents=True, exist_ok=True)
        (share / path).write_bytes(content)
    return share


@pytest.fixture
def sources(folder: Path, tmp_path: Path, demand: dict[str, str]) -> Iterator[list[SmbSource]]:
    """The folder on a server with its demand, by each engine."""
    with ExitStack() as stack:
        server = stack.enter_context(
            serve([Share("microscope", folder)], kind="samba", work_folder=tmp_path, options=demand)
        )
        login = server.username, server.password
        found = [
            SmbSource(SmbAddress(server.host, server.port, "microscope", "/", *login, engine=engine))
            for engine in ("auto", "public")
        ]
        for source in found:
            stack.callback(source.close)
        yield found


def everything(source: SmbSource) -> tuple[list[FolderListing], list[WholeFile | SourceFileError], bytes, SourceFile]:
    listings = list(source.listings())
    files = [file for listing in listings for file in listing.files if file.size_bytes <= 1 << 20]
    gone = SourceFile("microscope/gone.raw", 10, files[0].mtime)
    whole = list(source.read_whole([gone, *files]))
    with source.open("microscope/large.raw") as file:
        return listings, whole, b"".join(file.chunks()), file.now()


def comparable(answers: tuple[Any, ...]) -> list[Any]:
    return [[repr(item) for item in answer] if isinstance(answer, list) else answer for answer in answers]


def spoken(source: Any) -> tuple[int, int | None, int | None]:
    """Dialect, signing algorithm and cipher, as smbprotocol has agreed on them."""
    share = source._connection._share
    dialect = int(share.connection.dialect)
    if share.session.encrypt_data:
        return dialect, None, int(share.connection.cipher_id) if dialect == 0x311 else AES_128_CCM
    before_3_1_1 = HMAC_SHA256 if dialect < 0x300 else AES_CMAC
    return dialect, int(share.connection.signing_algorithm_id) if dialect == 0x311 else before_3_1_1, None


def engine_of(source: SmbSource) -> type[object]:
    return type(source._connection)


@pytest.mark.parametrize(("demand", "demanded"), DEMANDS.values(), ids=DEMANDS.keys())
def test_what_the_server_demands_is_met_by_both_engines_alike(
    sources: list[SmbSource], demanded: tuple[int, int | None, int | None]
) -> None:
    listings, whole, large, now = everything(sources[0])
    assert large == LARGE
    assert now.size_bytes == len(LARGE)
    assert {file.source_path for listing in listings for file in listing.files} == {
        "microscope/large.raw",
        *(f"microscope/{path}" for path in CONTENTS),
    }
    assert isinstance(whole[0], FileVanished)
    for answer in whole[1:]:
        assert isinstance(answer, WholeFile)
        assert answer.content == CONTENTS[answer.at_closing.source_path.removeprefix("microscope/")]
        assert answer.at_opening == answer.at_closing
    assert comparable(everything(sources[1])) == comparable((listings, whole, large, now))
    assert [engine_of(source) for source in sources] == [FramesConnection, PublicConnection]
    assert [spoken(source) for source in sources] == [demanded, demanded]


@pytest.mark.parametrize(
    "demand", [{"server min protocol": "SMB2_02", "server max protocol": "SMB2_02"}], ids=["2.0.2"]
)
def test_a_dialect_without_large_requests_is_left_to_the_public_engine(
    sources: list[SmbSource], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "streamweave")
    assert comparable(everything(sources[0])) == comparable(everything(sources[1]))
    assert [engine_of(source) for source in sources] == [PublicConnection, PublicConnection]
    sources[0].close()
    assert list(sources[0].listings())
    (message,) = caplog.messages
    assert message.endswith("is read the slower way: its dialect is 0x0202")
