"""The only reader of the environment. Entry points read it once and pass values inward."""

from ipaddress import ip_network
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from streamweave.storage.roots import StorageRoots, listed_roots, storage_roots
from streamweave.webhooks import EgressPolicy

NAAN_PATTERN = r"^[0-9bcdfghjkmnpqrstvwxz]{5,9}$"
SHOULDER_PATTERN = r"^[bcdfghjkmnpqrstvwxz]+[0-9]$"


def sentence_of(fault: ErrorDetails) -> str:
    """A fault of a ``ValidationError`` of the settings: the variable and what is wrong, without the value."""
    name = str(fault["loc"][0])
    variable = name if name.isupper() else f"STREAMWEAVE_{name.upper()}"
    return f"{variable}: {fault['msg'].removeprefix('Value error, ')}"


class Settings(BaseSettings):
    """What the environment says, each variable prefixed with ``STREAMWEAVE_``.

    A value that can't be used raises pydantic's ``ValidationError``, which names the variable and not the value.
    """

    model_config = SettingsConfigDict(env_prefix="STREAMWEAVE_", extra="ignore", hide_input_in_errors=True)

    database_url: str | None = Field(default=None, description="The catalog: postgresql://user:pw@host:port/name")
    dagster_url: str = Field(default="http://127.0.0.1:3000", description="Dagster's webserver")
    dagster_token: SecretStr = Field(
        default=SecretStr(""), description="What our own programs show to the guard of Dagster's webserver"
    )
    dagster_login: bool = Field(default=True, description="Whether the guard asks people for an admin's login")
    dagster_hosts: str = Field(
        default="", description="Host names, comma-separated, that Dagster's webserver has besides loopback's"
    )
    dagster_home: Path | None = Field(
        default=None, validation_alias="DAGSTER_HOME", description="The folder of Dagster's own settings"
    )
    api_url: str = Field(default="http://127.0.0.1:8000", description="Where the guard reaches the REST service")
    encryption_keys: SecretStr = Field(
        default=SecretStr(""), description="Fernet keys, comma-separated; the first seals, all of them open"
    )
    secret_key: SecretStr = Field(default=SecretStr(""), description="Signs the tokens of the REST service")
    certificate_key: SecretStr = Field(
        default=SecretStr(""), description="Signs certificates: 32 random bytes in hexadecimal; empty: nothing signs"
    )
    admin_email: str | None = Field(default=None, description="The first admin's e-mail address")
    admin_password: SecretStr | None = Field(default=None, description="The first admin's password")
    ark_naan: str = Field(default="99999", pattern=NAAN_PATTERN, description="Name Assigning Authority Number")
    ark_shoulder: str = Field(default="fk4", pattern=SHOULDER_PATTERN, description="Prefix of minted names")
    token_lifetime_seconds: int = Field(default=3600, ge=60, description="How long a login lasts")
    registration_open: bool = Field(default=True, description="Whether people may register themselves")
    cookie_secure: bool = Field(default=True, description="Whether browsers send the login's cookie over HTTPS only")
    login_window_seconds: int = Field(default=900, ge=1, le=86_400, description="How long attempts to log in count")
    login_lock_seconds: int = Field(default=900, ge=1, le=86_400, description="How long too many of them lock")
    login_attempts: int = Field(default=10, ge=2, description="Attempts on one account from one address")
    login_attempts_per_account: int = Field(
        default=100, ge=2, description="Attempts on one account from addresses it has not logged in from before"
    )
    login_attempts_per_address: int = Field(
        default=100, ge=2, description="Attempts from one address on all accounts, and to register from there"
    )
    smtp_host: str = Field(default="", description="The server that sends our mails; empty: none are sent")
    smtp_port: int = Field(default=587, ge=1, le=65_535, description="Its port")
    smtp_user: str = Field(default="", description="Who we are there; empty: it doesn't ask")
    smtp_password: SecretStr = Field(default=SecretStr(""), description="Our password there")
    smtp_starttls: bool = Field(default=True, description="Whether the connection must be encrypted (STARTTLS)")
    mail_from: str = Field(default="streamweave@localhost", description="The sender of our mails")
    public_url: str = Field(default="http://127.0.0.1:8000", description="Where people reach us, for mails and links")
    trusted_proxies: str = Field(
        default="",
        description="Networks, comma-separated, of reverse proxies whose X-Forwarded-For is trusted; empty: none",
    )
    private_identifiers: Literal["exists", "hidden"] = Field(
        default="exists", description="Whether the identifier of a private file is known to exist, or hidden"
    )
    facility_name: str = Field(default="StreamWeave", description="Who is responsible for the identifiers")
    commitment: str = Field(
        default="The content is kept unchanged, and never deleted; a change is a new version",
        description="What is promised for what the identifiers name",
    )
    storage_roots: str = Field(
        default="", description="Folders, separated by commas or colons, that new storage locations may lie in"
    )
    hook_scripts_folder: Path | None = Field(
        default=None, description="The folder of scripts that hooks may run; unset: they may run none"
    )
    webhook_networks: str = Field(
        default="",
        description="Networks, comma-separated, that webhooks may reach besides public addresses, also without https",
    )
    alert_mail_to: str = Field(
        default="", description="Mail addresses, comma-separated, that alerts go to; empty: those of all admins"
    )
    alert_webhook_url: str = Field(default="", description="Where alerts are posted to; empty: nowhere")
    alert_webhook_secret: SecretStr = Field(
        default=SecretStr(""), description="Signs them: whsec_ and 24 to 64 random bytes in Base64"
    )
    warn_at_start: bool = Field(
        default=True, description="Whether the REST service logs warnings about its host; `streamweave up` does it once"
    )
    home: Path = Field(default=Path(".streamweave"), description="Where `streamweave up` keeps everything")

    @field_validator("database_url")
    @classmethod
    def _is_postgres(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("postgresql://", "postgres://", "postgresql+psycopg://")):
            raise ValueError("must be a PostgreSQL address: postgresql://user:password@host:port/name")
        return url

    @field_validator("hook_scripts_folder", "dagster_home")
    @classmethod
    def _is_set_or_not(cls, folder: Path | None) -> Path | None:
        if folder in (None, Path()):  # an empty variable, as Compose hands it on, is none
            return None
        if not folder.is_absolute():
            raise ValueError("must be an absolute path")
        return folder

    @field_validator("trusted_proxies")
    @classmethod
    def _is_proxies(cls, networks: str) -> str:
        for network in filter(None, map(str.strip, networks.split(","))):
            ip_network(network)
        return networks

    @field_validator("storage_roots")
    @classmethod
    def _is_roots(cls, roots: str) -> str:
        listed_roots(roots)
        return roots

    @field_validator("webhook_networks")
    @classmethod
    def _is_networks(cls, networks: str) -> str:
        EgressPolicy.listed(networks)
        return networks

    def allowed_storage(self) -> StorageRoots:
        """Where storage locations of the type posix may lie on this host. Raises ``StartError``."""
        roots = storage_roots(
            listed_roots(self.storage_roots),
            home=self.home,
            scripts_folder=self.hook_scripts_folder,
            dagster_home=self.dagster_home,
        )
        roots.check_roots()
        return roots
