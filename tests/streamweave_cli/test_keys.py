"""The home's keys: made once, kept private, and known when they are wrong."""

import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from streamweave.errors import StartError
from streamweave.settings import Settings
from streamweave_cli.home import open_keys


def opened(
    folder: Path, said: list[str] | None = None, *, catalog_holds_secrets: bool = False, **given: Any
) -> Settings:
    settings = Settings(**({"encryption_keys": "", "secret_key": "", "certificate_key": ""} | given))
    say = [].append if said is None else said.append
    return open_keys(folder, settings, catalog_holds_secrets=catalog_holds_secrets, say=say)


def test_the_first_start_makes_private_keys_and_the_next_finds_them(tmp_path: Path) -> None:
    keys = opened(tmp_path / "keys")
    assert Fernet(keys.encryption_keys.get_secret_value())
    assert opened(tmp_path / "keys", catalog_holds_secrets=True) == keys
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "keys").iterdir()} == {0o600}


def test_keys_of_the_environment_win(tmp_path: Path) -> None:
    key = Fernet.generate_key().decode()
    given = {"encryption_keys": key, "secret_key": "s" * 32, "certificate_key": "5f" * 32}
    assert opened(tmp_path / "keys", **given) == Settings(**given)
    assert {path.name for path in (tmp_path / "keys").iterdir()} == {"canary"}


def test_a_missing_key_is_never_made_up_for_a_catalog_that_holds_secrets(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="is missing, and the catalog holds passwords"):
        opened(tmp_path / "keys", catalog_holds_secrets=True)


@pytest.mark.parametrize("content", ["", "not a key\n", "c2hvcnQ=\n"])
def test_a_file_without_a_valid_key_is_told(tmp_path: Path, content: str) -> None:
    opened(tmp_path / "keys")
    (tmp_path / "keys" / "encryption").write_text(content)
    with pytest.raises(StartError, match="holds no valid Fernet key"):
        opened(tmp_path / "keys")


def test_the_key_of_another_home_is_told(tmp_path: Path) -> None:
    opened(tmp_path / "keys")
    (tmp_path / "keys" / "encryption").write_text(Fernet.generate_key().decode())
    with pytest.raises(StartError, match="does not belong to this home"):
        opened(tmp_path / "keys")


def test_a_key_in_the_environment_of_another_home_is_told(tmp_path: Path) -> None:
    opened(tmp_path / "keys")
    with pytest.raises(StartError, match="STREAMWEAVE_ENCRYPTION_KEYS does not belong to this home"):
        opened(tmp_path / "keys", encryption_keys=Fernet.generate_key().decode())


def test_a_key_can_be_rotated_and_the_old_one_retired(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "encryption"
    old = opened(tmp_path / "keys").encryption_keys.get_secret_value()
    new = Fernet.generate_key().decode()
    file.write_text(f"{new}\n{old}\n")
    assert opened(tmp_path / "keys").encryption_keys.get_secret_value() == f"{new},{old}"
    file.write_text(f"{new}\n")
    assert opened(tmp_path / "keys").encryption_keys.get_secret_value() == new


def test_files_that_others_can_read_are_tightened_and_told(tmp_path: Path) -> None:
    opened(tmp_path / "keys")
    (tmp_path / "keys" / "encryption").chmod(0o644)
    said: list[str] = []
    opened(tmp_path / "keys", said)
    assert stat.S_IMODE((tmp_path / "keys" / "encryption").stat().st_mode) == 0o600
    assert said == [f"others could read {tmp_path / 'keys' / 'encryption'}: now only its owner can"]
