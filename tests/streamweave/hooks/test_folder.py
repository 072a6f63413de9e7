import os
from pathlib import Path

import pytest

from streamweave.errors import HookFailed
from streamweave.hooks.scripts import LARGEST_SCRIPT, ScriptFolder


def put(path: Path, content: str = "print(1)", mode: int = 0o644) -> Path:
    path.parent.mkdir(mode=0o755, exist_ok=True)
    path.write_text(content)
    path.chmod(mode)
    return path


def refused(folder: Path, path: str) -> str:
    with pytest.raises(HookFailed) as refusal:
        ScriptFolder(folder).read(path)
    return str(refusal.value)


def test_a_script_is_read_with_its_digest(folder: Path) -> None:
    put(folder / "a.py")
    put(folder / "lab" / "b.py")
    first, second = ScriptFolder(folder).read("a.py"), ScriptFolder(folder).read("lab/b.py")
    assert first.code == b"print(1)"
    assert first.sha256 == second.sha256
    put(folder / "a.py", "print(2)")
    assert ScriptFolder(folder).read("a.py").sha256 != first.sha256


def test_without_a_folder_no_script_is_read() -> None:
    with pytest.raises(HookFailed, match="no folder of scripts is set"):
        ScriptFolder(None).read("a.py")


@pytest.mark.parametrize(
    "path",
    [
        "/etc/a.py",
        "../a.py",
        "lab/../../a.py",
        "./a.py",
        "lab//a.py",
        "",
        "a.py/",
        "..\\a.py",
        "a.py\n",
        "a\0.py",
        "a.sh",
    ],
)
def test_a_path_that_could_lead_out_is_refused(folder: Path, path: str) -> None:
    put(folder.parent / "a.py")
    assert "must be relative" in refused(folder, path)


def test_a_link_within_the_folder_is_followed_and_one_out_of_it_is_not(folder: Path) -> None:
    put(folder / "data" / "a.py")
    (folder / "inside.py").symlink_to("data/a.py")
    assert ScriptFolder(folder).read("inside.py").code == b"print(1)"
    put(folder.parent / "outside" / "a.py")
    (folder / "outside.py").symlink_to(folder.parent / "outside" / "a.py")
    (folder / "elsewhere").symlink_to(folder.parent / "outside")
    for path in ("outside.py", "elsewhere/a.py"):
        assert "leads out of the folder" in refused(folder, path)


def test_what_is_no_regular_file_is_refused(folder: Path) -> None:
    (folder / "folder.py").mkdir()
    os.mkfifo(folder / "pipe.py", 0o644)
    (folder / "loop.py").symlink_to("loop.py")
    assert "can't be read" in refused(folder, "missing.py")
    assert "can't be read" in refused(folder, "loop.py")
    for path in ("folder.py", "pipe.py"):
        assert "no regular file" in refused(folder, path)


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o777])
def test_a_script_that_others_can_write_is_refused(folder: Path, mode: int) -> None:
    put(folder / "a.py", mode=mode)
    assert "can be written by others" in refused(folder, "a.py")


def test_a_script_in_a_folder_that_others_can_write_is_refused(folder: Path) -> None:
    put(folder / "lab" / "a.py")
    (folder / "lab").chmod(0o777)
    assert "can be written by others" in refused(folder, "lab/a.py")
    (folder / "lab").chmod(0o755)
    folder.chmod(0o1777)
    assert "can be written by others" in refused(folder, "lab/a.py")


def test_a_script_has_a_largest_size(folder: Path) -> None:
    put(folder / "a.py", "#" * LARGEST_SCRIPT)
    assert len(ScriptFolder(folder).read("a.py").code) == LARGEST_SCRIPT
    put(folder / "a.py", "#" * (LARGEST_SCRIPT + 1))
    assert "larger than" in refused(folder, "a.py")
