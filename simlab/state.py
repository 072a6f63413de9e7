"""What a laboratory remembers between two starts, so that whoever was configured with it finds it again."""

import json
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from simlab.errors import StateError
from simlab.private_file import write_private_file


@dataclass(frozen=True)
class LaboratoryState:
    """The service account's password, and the TCP port of each instrument by its slug."""

    password: str = field(default_factory=lambda: secrets.token_urlsafe(18), repr=False)
    ports: dict[str, int] = field(default_factory=dict)


def read_state(path: Path) -> LaboratoryState:
    """Return what `path` remembers, or a new state where there is no such file. Raises `StateError`."""
    try:
        content = json.loads(path.read_text())
        ports = {str(slug): int(port) for slug, port in content["ports"].items()}
        return LaboratoryState(password=str(content["password"]), ports=ports)
    except FileNotFoundError:
        return LaboratoryState()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateError(f"{path} can't be read; remove it to start with new ports and a new password.") from error


def write_state(path: Path, state: LaboratoryState) -> None:
    """Remember `state` in a file that only its owner can read."""
    write_private_file(path, json.dumps(asdict(state), indent=2) + "\n")
