"""Which engine reads a share, and what it takes to leave the fast one."""

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from streamweave.errors import SourceUnreachable
from streamweave.sources.smb import SmbAddress, source
from streamweave.sources.smb.connection import OpenedShare
from streamweave.sources.smb.frames.connection import FramesConnection
from streamweave.sources.smb.frames.handover import HandoverFailed
from streamweave.sources.smb.public.connection import PublicConnection


class EndlessThread(threading.Thread):
    """A thread of smbprotocol's that does not end when it should."""

    def is_alive(self) -> bool:
        return True

    def join(self, timeout: float | None = None) -> None:
        """Be waited for in vain."""


class OtherSocket:
    """What another version of smbprotocol might use."""

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)


def in_a_distributed_file_system(share: Any) -> None:
    share.tree.is_dfs_share = None


def with_a_thread_that_does_not_end(share: Any) -> None:
    share.connection._t_worker = EndlessThread()


def with_another_kind_of_socket(share: Any) -> None:
    share.connection.transport._sock = OtherSocket(share.connection.transport._sock)


@pytest.mark.parametrize(
    ("otherwise", "words"),
    [
        (in_a_distributed_file_system, "its share is part of a distributed file system"),
        (with_a_thread_that_does_not_end, "smbprotocol's thread still runs"),
        (with_another_kind_of_socket, "smbprotocol has no socket"),
    ],
)
def test_what_is_not_as_expected_is_left_to_the_public_engine_and_said_once(
    smb_bench_of: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    otherwise: Callable[[Any], None],
    words: str,
) -> None:
    class OtherShare(OpenedShare):
        def __init__(self, address: SmbAddress) -> None:
            super().__init__(address)
            otherwise(self)

    monkeypatch.setattr(source, "OpenedShare", OtherShare)
    caplog.set_level(logging.INFO, "streamweave")
    bench = smb_bench_of("samba")
    bench.write("scan.raw", b"x" * 100_000)
    for share in (bench.source(), bench.source()):
        (file,) = [file for listing in share.listings() for file in listing.files]
        (answer,) = share.read_whole([file])
        assert answer.content == b"x" * 100_000
        assert type(share._connection) is PublicConnection
    (message,) = caplog.messages
    assert words in message


@pytest.mark.parametrize(("engine", "kind"), [("auto", FramesConnection), ("public", PublicConnection)])
def test_an_engine_can_be_asked_for(smb_bench_of: Any, engine: str, kind: type) -> None:
    source = smb_bench_of("samba", engine).source()
    assert list(source.listings())
    assert type(source._connection) is kind


def test_a_path_in_a_distributed_file_system_is_that_of_its_own_file(own_server_on_samba: Any) -> None:
    bench = own_server_on_samba.bench(own_server_on_samba.start(msdfs_root="yes"))
    paths = {"microscope/scan.raw", "microscope/run/microscope/scan.raw"}
    for path in paths:
        bench.write(path.removeprefix("microscope/"), path.encode())
    source = bench.source()
    files = [file for listing in source.listings() for file in listing.files]
    assert {file.source_path for file in files} == paths
    assert [answer.content.decode() for answer in source.read_whole(files)] == [file.source_path for file in files]
    assert type(source._connection) is PublicConnection


def test_a_server_lost_during_the_handover_is_unreachable(
    smb_bench_of: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ask = OpenedShare.ask_for_credits

    def ask_in_vain(share: OpenedShare) -> None:
        share.connection.transport.close()
        ask(share)

    monkeypatch.setattr(OpenedShare, "ask_for_credits", ask_in_vain)
    caplog.set_level(logging.INFO, "streamweave")
    with pytest.raises(SourceUnreachable, match="ended the connection"):
        list(smb_bench_of("samba").source().listings())
    assert not caplog.messages


def test_no_connection_stays_behind_when_neither_engine_comes_about(
    smb_bench_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares: list[OpenedShare] = []

    def fail_to_take_over(share: OpenedShare) -> Any:
        raise HandoverFailed("its thread still runs")

    def ask_in_vain(share: OpenedShare) -> None:
        shares.append(share)
        raise SourceUnreachable("the server is too busy to answer")

    monkeypatch.setattr(source, "take_over", fail_to_take_over)
    monkeypatch.setattr(OpenedShare, "ask_for_credits", ask_in_vain)
    with pytest.raises(SourceUnreachable, match="too busy"):
        list(smb_bench_of("samba").source().listings())
    assert [share.connection.transport.connected for share in shares] == [False]
