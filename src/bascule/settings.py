"""The environment, read once. Every setting is in docs/settings.md, and a test compares the two."""

import os
from functools import lru_cache
from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def default_data_dir() -> Path:
    """Where the hub keeps its files: as root a place that an unprivileged PostgreSQL can enter."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/bascule")
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "bascule"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="BASCULE_", extra="ignore", populate_by_name=True)

    database_url: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("BASCULE_DATABASE_URL", "POSTGRES_URL"),
        description="A PostgreSQL 14 or newer to use. Unset: the hub starts its own.",
    )
    data_dir: Path = Field(
        default_factory=default_data_dir,
        description="Where the embedded PostgreSQL and the secret key live.",
    )
    secret_key: SecretStr | None = Field(
        default=None,
        description="Encrypts stored credentials. Unset: one is made and kept in the data folder.",
    )
    host: str = Field(default="127.0.0.1", description="The address that the API listens on.")
    port: int = Field(
        default=8003,
        validation_alias=AliasChoices("BASCULE_PORT", "CONNECTORS_SERVICE_PORT"),
        description="The port that the API listens on.",
    )
    allow_http: bool = Field(
        default=False,
        description="Speak plain HTTP to sites that are not on loopback.",
    )
    ca_bundle: Path | None = Field(
        default=None, description="A PEM file of certificate authorities to trust for sites."
    )
    worker_concurrency: int = Field(
        default=8, ge=1, le=64, description="How many jobs one worker does at a time."
    )
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR.")


@lru_cache
def get_settings() -> Settings:
    return Settings()
