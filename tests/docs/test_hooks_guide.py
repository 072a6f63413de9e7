"""The script and the receiver of the operating guide, run as they stand there."""

import os
import re
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from streamweave.catalog.tables import Hook
from streamweave.errors import HookFailed
from streamweave.hooks.base import HookContext, Proceed, Skip
from streamweave.hooks.external_hook import HookReach, called_hook
from streamweave.hooks.scripts import ScriptFolder
from streamweave.sealing import Sealer
from streamweave.webhooks import EgressPolicy

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECONDS = 30


@pytest.fixture
def examples(repository_root: Path) -> list[str]:
    """The guide's blocks of Python: a script, and a receiver."""
    guide = (repository_root / "docs" / "operating.md").read_text()
    return re.findall(r"^```python\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)


@pytest.fixture
def receiver(examples: list[str]) -> Iterator[str]:
    """The receiver as a process: its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    environment = {**os.environ, "WEBHOOK_SECRET": SECRET, "PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-c", examples[1]], env=environment, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline and not listens(port):
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.kill()
        process.wait()


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def shown(path: str) -> HookContext:
    return HookContext("microscope_01", path, path.rpartition("/")[2], 23, datetime(2026, 2, 24, tzinfo=UTC))


def test_the_script_of_the_guide_decides(examples: list[str], tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir(mode=0o755)
    (tmp_path / "scripts" / "a.py").write_text(examples[0])
    (tmp_path / "scripts" / "a.py").chmod(0o644)
    row = Hook(name="a", trigger="pre_transfer", implementation="python_script", script_path="a.py", config={})
    hook = called_hook(row, HookReach(ScriptFolder(tmp_path / "scripts")))
    assert hook.decide(shown("share/calibration/a.csv")) == Skip("calibration images are not kept")
    assert hook.decide(shown("share/a.csv")) == Proceed()


def test_the_receiver_of_the_guide_checks_who_asks_and_answers(receiver: str) -> None:
    reach = HookReach(egress=EgressPolicy.listed("127.0.0.1"), sealer=Sealer(Fernet.generate_key().decode()))
    row = Hook(name="a", trigger="post_transfer", implementation="http_webhook", webhook_url=receiver, config={})
    row.id = uuid.uuid4()
    row.sealed_webhook_secret = reach.sealed(SECRET)
    assert called_hook(row, reach).enrich(shown("share/cobalt_01.csv")).metadata == {"sample": "cobalt"}
    row.sealed_webhook_secret = reach.sealed(SECRET.replace("M", "N"))
    with pytest.raises(HookFailed, match="status is 401"):
        called_hook(row, reach).enrich(shown("share/cobalt_01.csv"))
