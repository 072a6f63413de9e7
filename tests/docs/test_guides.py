"""The commands of the guides, typed into a shell beside a running system."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from streamweave_cli.demo_system import DemoSystem, demo_system

BLOCK = re.compile(r"^```bash\n(?P<commands>.*?)^```\n(?:```text\n(?P<shown>.*?)^```\n)?", re.MULTILINE | re.DOTALL)
END_OF_BLOCK = "=== end of block ==="
GUIDES = ("api.md", "operating.md")
SECONDS = 480


@pytest.fixture
def running(tmp_path: Path) -> Iterator[DemoSystem]:
    """The whole system with simulated instruments, as ``streamweave up --simlab`` starts it."""
    with demo_system(tmp_path / "home", Console(quiet=True)) as ready:
        yield ready


@pytest.mark.parametrize("name", GUIDES)
def test_every_command_of_a_guide_does_what_it_shows(
    running: DemoSystem, repository_root: Path, tmp_path: Path, name: str
) -> None:
    assert shutil.which("curl"), "the guides are about curl: install it (apt-get install curl)"
    blocks = [(match["commands"], match["shown"] or "") for match in BLOCK.finditer(guide(repository_root, name))]
    script = "".join(f"{commands}\necho '{END_OF_BLOCK}'\n" for commands, _ in blocks)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env={
            **os.environ,
            "API": running.api,
            "HOME_FOLDER": str(running.home),
            "STREAMWEAVE_HOME": str(running.home),
            "ADMIN_PASSWORD": running.admin_password,
            "TMPDIR": str(tmp_path),
            "NO_PROXY": "127.0.0.1",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    *answers, rest = done.stdout.split(f"{END_OF_BLOCK}\n")
    for (commands, shown), answer in zip(blocks, answers, strict=False):
        assert as_shown(shown, answer), f"{commands}\nshows\n{shown}\nand answered\n{answer}\n{done.stderr}"
    assert (done.returncode, len(answers), rest) == (0, len(blocks), ""), rest + done.stderr


def as_shown(shown: str, answer: str) -> bool:
    """Whether the answer is what is shown; ``…`` stands for anything within a line."""
    return bool(re.fullmatch(re.escape(shown).replace("…", ".*"), answer))


def guide(repository_root: Path, name: str) -> str:
    return (repository_root / "docs" / name).read_text()


def test_every_output_that_the_guide_to_the_service_shows_belongs_to_a_command(repository_root: Path) -> None:
    text = guide(repository_root, "api.md")
    shown = [match for match in BLOCK.finditer(text) if match["shown"]]
    assert text.count("```text\n") == len(shown) > 15


def test_the_guide_leaves_nothing_out_that_the_service_is_for(repository_root: Path) -> None:
    text = guide(repository_root, "api.md")
    for path in [
        *("/auth/jwt/login", "/auth/cookie/login", "/auth/register", "/users/me", "/api/tokens", "/api/audit-log"),
        *("/api/instruments", "/api/service-accounts", "/api/storage-locations", "/api/schedules", "/api/hooks"),
        *("/api/runs", "/api/files", "/api/transfers", "/api/groups", "/api/projects", "/api/pending-grants"),
        *("/api/files/archive", "/api/summary", "/content", "/history", "/versions", "/withdraw", "?info"),
    ]:
        assert path in text, path
