"""The environment, read once. Every setting is in docs/settings.md, and a test compares the two."""

import os
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from bascule.reach import MayConnect, may_connect

LOOPBACK = ("localhost", "127.0.0.1", "::1")
Network = IPv4Network | IPv6Network
LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR"],
    BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value),
]


def default_data_dir() -> Path:
    """Where the hub keeps its files: as root a place that an unprivileged PostgreSQL can enter."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/bascule")
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "bascule"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="BASCULE_",
        extra="ignore",
        populate_by_name=True,
        env_ignore_empty=True,  # as Compose passes on what nobody set
    )

    database_url: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("BASCULE_DATABASE_URL", "POSTGRES_URL"),
        description="A PostgreSQL 14 or newer to use. Unset: the hub starts its own.",
    )
    reader_url: SecretStr | None = Field(
        default=None,
        description="That PostgreSQL again, as the role bascule_reader, which reads mirrors alone; "
        "what `bascule psql` connects as.",
    )
    data_dir: Path = Field(
        default_factory=default_data_dir,
        description="Where the embedded PostgreSQL and the secret key live.",
    )
    secret_key: SecretStr | None = Field(
        default=None,
        description="Encrypts stored credentials. Unset: one is made and kept in the data folder.",
    )
    secret_key_previous: SecretStr | None = Field(
        default=None,
        description="The key before BASCULE_SECRET_KEY, while it is being changed.",
    )
    host: str = Field(default="127.0.0.1", description="The address that the API listens on.")
    port: int = Field(
        default=8003,
        validation_alias=AliasChoices("BASCULE_PORT", "CONNECTORS_SERVICE_PORT"),
        description="The port that the API listens on.",
    )
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#\s]+/?$",
        description="The address that people open in the browser, where a proxy is in between.",
    )
    trusted_proxies: str = Field(
        default="",
        description="Addresses or networks of proxies whose X-Forwarded-For and -Proto count, "
        "with commas between.",
    )
    sockets: int = Field(
        default=1_000,
        ge=16,
        description="How many connections the hub takes at a time; fewer where the system gives it "
        "fewer files.",
    )
    sockets_per_address: int = Field(
        default=200,
        ge=4,
        description="How many of them one address may have (of IPv6 one /64). Proxies in "
        "BASCULE_TRUSTED_PROXIES may have all.",
    )
    request_seconds: float = Field(
        default=20.0,
        gt=0,
        description="How long the head of a request may take to arrive; its body may take three "
        "times as long.",
    )
    stall_seconds: float = Field(
        default=60.0,
        gt=0,
        description="After how long a reader who takes nothing of an answer is dropped.",
    )
    second_factor: Literal["nobody", "admins"] = Field(
        default="nobody",
        description="Who has to have an authenticator app or a passkey: nobody, or admins. Without "
        "either they change and see no more than an editor.",
    )
    oidc_issuer: str | None = Field(
        default=None,
        pattern=r"^https?://[^?#@\s]+$",
        description="The address of an OpenID Connect provider that people sign in with, exactly "
        "as its discovery document says it. Needs BASCULE_PUBLIC_URL.",
    )
    oidc_client_id: str | None = Field(
        default=None, description="What that provider calls this hub."
    )
    oidc_client_secret: SecretStr | None = Field(
        default=None,
        description="The secret that the provider gave for it. Unset: it is a public client, which "
        "has PKCE alone.",
    )
    oidc_name: str = Field(
        default="your company",
        min_length=1,
        max_length=40,
        description="What the button on the sign-in page says after 'Sign in with'.",
    )
    oidc_domains: str = Field(
        default="",
        description="Domains of e-mail addresses that are let in by their address, with commas "
        "between. Unset: any, of people who were invited.",
    )
    oidc_new_people: Literal["nobody", "viewer", "editor"] = Field(
        default="nobody",
        description="With which role somebody is made who was not invited: nobody makes none. "
        "Needs BASCULE_OIDC_DOMAINS.",
    )
    oidc_second_factor: Literal["told", "always", "never"] = Field(
        default="told",
        description="Whether a sign-in there counts as one with a second factor: where the "
        "provider tells so (amr, or an acr of BASCULE_OIDC_ACR), always, or never.",
    )
    oidc_acr: str = Field(
        default="",
        description="Values of acr by which the provider tells of a second factor, with commas "
        "between.",
    )
    allow_http: bool = Field(
        default=False,
        description="Speak plain HTTP to sites that are not on loopback.",
    )
    allow_private_networks: bool = Field(
        default=True,
        description="Connect to sites in private networks (10.0.0.0/8, 192.168.0.0/16, fd00::/8).",
    )
    allow_loopback: bool = Field(
        default=True, description="Connect to sites on the hub's own machine."
    )
    ca_bundle: Path | None = Field(
        default=None, description="A PEM file of certificate authorities to trust for sites."
    )
    worker_concurrency: int = Field(
        default=8, ge=1, le=64, description="How many jobs one worker does at a time."
    )
    mirror_megabytes: int = Field(
        default=0,
        ge=0,
        description="How many megabytes the mirror of one connection may have. 0: as many as there "
        "is room for.",
    )
    least_free_percent: float = Field(
        default=5.0,
        ge=0,
        lt=100,
        description="Below how much free space on the disk of the embedded database nothing is "
        "pulled. 0: it is not looked at.",
    )
    api_secret_days: int = Field(
        default=365,
        ge=0,
        description="After how many days the first page recalls that a connection's API secret is "
        "still the same. 0: never.",
    )
    settle_seconds: int = Field(
        default=130,
        ge=1,
        le=3600,
        description="How long a request whose answer was lost may still be under way at a site: "
        "before that no second document is made where the site has no field of the hub's own, as "
        "in an Address or a Contact, and a record that was deleted here may still have to be "
        "deleted there. Frappe ends requests "
        "after 120 seconds; give more where its proxy waits longer.",
    )
    owed_seconds: int = Field(
        default=180,
        ge=1,
        le=3600,
        description="A run that its site has owed an answer for so long is ended, with the reason; "
        "the site is left alone for a while, and tried again by itself. One request has 60 "
        "seconds, and is asked again, or for less.",
    )
    token: SecretStr | None = Field(
        default=None,
        description="Whom the command line acts for: the user whose API token this is. Unset: the "
        "owner of this machine, who may do everything.",
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        min_length=20,
        description="A token for GET /metrics and nothing else, which tells of all connections. "
        "Unset: only an admin's token opens it, and tells of what they may see.",
    )
    otlp_endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#\s]+/?[^?#\s]*$",
        description="An OpenTelemetry collector (OTLP over HTTP) that traces are sent to. Needs "
        "the extra bascule[otel].",
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="How log lines look: text, or a JSON object each."
    )
    log_level: LogLevel = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR.")
    use_mongodb: bool = Field(
        default=False,
        validation_alias=AliasChoices("BASCULE_USE_MONGODB", "USE_MONGODB"),
        description="MongoDB as another place for rows is coming; until then this is refused.",
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        networks_in(value)
        return value

    @field_validator("use_mongodb")
    @classmethod
    def _is_coming(cls, value: bool) -> bool:
        if value:
            raise ValueError("MongoDB is coming and not there yet; unset it, rows go to PostgreSQL")
        return value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """What is wrong with how sign-in by a provider is set is told now, and not to who comes."""
        if self.oidc_issuer is None:
            return self
        if not is_kept_from_others(self.oidc_issuer):
            raise ValueError("BASCULE_OIDC_ISSUER is https, or http on this machine")
        if self.oidc_client_id is None:
            raise ValueError("BASCULE_OIDC_ISSUER needs BASCULE_OIDC_CLIENT_ID too")
        if self.public_url is None and self.host not in LOOPBACK:
            raise ValueError("BASCULE_OIDC_ISSUER needs BASCULE_PUBLIC_URL, the browser's address")
        if self.public_url is not None and not is_kept_from_others(self.public_url):
            raise ValueError("with BASCULE_OIDC_ISSUER, BASCULE_PUBLIC_URL is https")
        if self.oidc_new_people != "nobody" and not words_in(self.oidc_domains):
            raise ValueError("BASCULE_OIDC_NEW_PEOPLE needs BASCULE_OIDC_DOMAINS: else anybody")
        return self

    @property
    def may_connect(self) -> MayConnect:
        """Which addresses a site may have."""
        return may_connect(
            private_networks=self.allow_private_networks, loopback=self.allow_loopback
        )

    @property
    def proxies(self) -> tuple[Network, ...]:
        return networks_in(self.trusted_proxies)


def is_kept_from_others(url: str) -> bool:
    """Whether what is said to this address is read by nobody in between."""
    at = urlsplit(url)
    return at.scheme == "https" or at.hostname in LOOPBACK


def words_in(value: str) -> frozenset[str]:
    """With commas between, lower case."""
    return frozenset(one.strip().lower() for one in value.split(",") if one.strip())


@lru_cache
def networks_in(value: str) -> tuple[Network, ...]:
    """ValueError: one of them is none."""
    return tuple(ip_network(one.strip()) for one in value.split(",") if one.strip())


@lru_cache
def get_settings() -> Settings:
    return Settings()
