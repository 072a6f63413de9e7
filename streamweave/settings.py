"""The only reader of the environment. Entry points read it once and pass values inward."""

from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

NAAN_PATTERN = r"^[0-9bcdfghjkmnpqrstvwxz]{5,9}$"
SHOULDER_PATTERN = r"^[bcdfghjkmnpqrstvwxz]+[0-9]$"


class Settings(BaseSettings):
    """What the environment says, each variable prefixed with ``STREAMWEAVE_``.

    A value that can't be used raises pydantic's ``ValidationError``, which names the variable.
    """

    model_config = SettingsConfigDict(env_prefix="STREAMWEAVE_", extra="ignore")

    database_url: str | None = Field(default=None, description="The catalog: postgresql://user:pw@host:port/name")
    dagster_url: str = Field(default="http://127.0.0.1:3000", description="Dagster's webserver")
    encryption_keys: SecretStr = Field(
        default=SecretStr(""), description="Fernet keys, comma-separated; the first seals, all of them open"
    )
    secret_key: SecretStr = Field(default=SecretStr(""), description="Signs the tokens of the REST service")
    admin_email: str | None = Field(default=None, description="The first admin's e-mail address")
    admin_password: SecretStr | None = Field(default=None, description="The first admin's password")
    ark_naan: str = Field(default="99999", pattern=NAAN_PATTERN, description="Name Assigning Authority Number")
    ark_shoulder: str = Field(default="fk4", pattern=SHOULDER_PATTERN, description="Prefix of minted names")
    token_lifetime_seconds: int = Field(default=3600, ge=60, description="How long a login lasts")
    home: Path = Field(default=Path(".streamweave"), description="Where `streamweave up` keeps everything")

    @field_validator("database_url")
    @classmethod
    def _is_postgres(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("postgresql://", "postgres://", "postgresql+psycopg://")):
            raise ValueError("must be a PostgreSQL address: postgresql://user:password@host:port/name")
        return url
