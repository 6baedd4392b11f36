"""People, tokens and sign-ins as the API shows them."""

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from bascule.accounts.tables import ApiToken, User

PERSON: dict[str, Any] = {
    "id": 2,
    "username": "anna",
    "email": "anna@example.com",
    "role": "editor",
    "active": True,
    "has_password": True,
    "created_at": "2026-11-20T22:48:17Z",
    "last_sign_in_at": "2026-11-20T23:01:40Z",
}


class Person(BaseModel):
    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": PERSON})

    id: int
    username: str
    email: str | None
    role: str = Field(description="viewer, editor, accountant or admin, or a role of your own")
    active: bool
    has_password: bool = Field(description="false: invited, or reset, and not been here since.")
    created_at: datetime
    last_sign_in_at: datetime | None

    @classmethod
    def of(cls, user: User) -> Self:
        names = set(Person.model_fields) - {"has_password"}
        values = {name: getattr(user, name) for name in names}
        return cls(**values, has_password=user.password_hash is not None)


class ListedPerson(Person):
    api_tokens: int = Field(default=0, description="How many API tokens they have.")
    signs_in_with: list[str] = Field(
        default_factory=list,
        description="password, provider, passkey; and app, where they give its code besides.",
    )

    model_config = ConfigDict(
        json_schema_extra={
            "example": {**PERSON, "api_tokens": 1, "signs_in_with": ["password", "app"]}
        }
    )


class People(BaseModel):
    users: list[ListedPerson]
    total: int = Field(description="People that were asked for, on this page or not.")
    next: str | None = Field(description="Send it as `after` for the next page; null at the end.")


class NewPerson(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"username": "anna", "email": "anna@example.com", "role": "editor"}
        },
    )

    username: str = Field(max_length=200)
    email: str | None = Field(default=None, max_length=300)
    role: str = Field(default="viewer", max_length=100)


class PersonChange(BaseModel):
    """What is left out stays as it is."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"role": "viewer", "active": True}}
    )

    role: str = Field(default_factory=lambda: "viewer", max_length=100)
    active: bool = Field(default_factory=bool)
    email: str | None = Field(default_factory=lambda: None, max_length=300)


class Invitation(BaseModel):
    """The link is shown this once; give it to them in person or by a message of your own."""

    user: Person
    link: str = Field(examples=["https://hub.example.com/welcome/6J4..."])
    expires_at: datetime


class Credentials(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"username": "anna", "password": "four words that rhyme"}},
    )

    username: str | None = Field(
        default=None, max_length=300, description="Or the e-mail address; one of both is needed."
    )
    email: str | None = Field(default=None, max_length=300)
    password: str = Field(max_length=1000)
    code: str | None = Field(
        default=None,
        max_length=100,
        description="Of their authenticator app, or a recovery code, where they have one.",
    )

    @model_validator(mode="after")
    def _named(self) -> Self:
        if (self.username is None) == (self.email is None):
            raise ValueError("say either username or email")
        return self

    @property
    def name(self) -> str:
        return self.username or self.email or ""


class RefreshRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"refresh_token": "2vX9..."}}
    )

    refresh_token: str = Field(max_length=1000)


class SignedIn(BaseModel):
    """Send `access_token` as `Authorization: Bearer`. When it has expired, `refresh_token` gets the
    next two from POST /api/auth/refresh, once.
    """

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - its kind, no token
    expires_in: int = Field(description="Seconds.")
    refresh_token: str
    refresh_expires_in: int = Field(description="Seconds.")
    user: Person


class SignedOut(BaseModel):
    signed_out: bool = True


class SessionAnswer(BaseModel):
    """A browser, or a program, that you are signed in with."""

    id: str = Field(description="For DELETE; it opens nothing.", examples=["5feceb66ffc86f38"])
    kind: Literal["browser", "program"]
    agent: str = Field(description="What it calls itself.", examples=["Mozilla/5.0 ..."])
    address: str = Field(examples=["192.168.1.20"])
    created_at: datetime
    last_seen_at: datetime = Field(
        description="Of a browser to the minute; of a program when it got its last tokens."
    )
    expires_at: datetime
    this: bool = Field(description="It is the one that asks.")


class Sessions(BaseModel):
    sessions: list[SessionAnswer]


class PasswordOnceMore(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"password": "four words that rhyme"}}
    )

    password: str = Field(max_length=1000)


class Confirmed(BaseModel):
    confirmed_until: datetime


class FactorState(BaseModel):
    on: bool = Field(description="A code of an authenticator app is asked for at sign-in.")
    passkeys: int = Field(description="How many you have; one is as good as a code.")
    required: bool = Field(description="Without either you have no permission of the scope admin.")
    since: datetime | None
    recovery_codes_left: int


class FactorBegun(BaseModel):
    """Give one of both to an authenticator app; a code that it shows turns it on."""

    secret: str = Field(examples=["JBSWY3DPEHPK3PXP"])
    uri: str = Field(
        examples=["otpauth://totp/Bascule:anna?secret=JBSWY3DPEHPK3PXP&issuer=Bascule"]
    )


class FactorCode(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"code": "492039"}})

    code: str = Field(max_length=100)


class RecoveryCodes(BaseModel):
    """Each works once instead of a code of the app, or a passkey. Shown this once."""

    recovery_codes: list[str] = Field(examples=[["aqbc-def2-ghi7"]])


class PasswordChange(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "old_password": "four words that rhyme",
                "new_password": "five words that never do",
            }
        },
    )

    old_password: str = Field(max_length=1000)
    new_password: str = Field(max_length=1000)


class PasswordChanged(BaseModel):
    """Every other session, and every access and refresh token, has ended."""

    user: Person


class TokenAnswer(BaseModel):
    """An API token without its secret part."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    scope: str = Field(
        description="read: GET only; write: also what its owner's role allows, of the permissions "
        "with that scope; admin: all that the role allows, but for what leads to a person's powers."
    )
    created_at: datetime
    expires_at: datetime | None = Field(
        description="null: made by an earlier Bascule; it works until it is revoked."
    )
    last_used_at: datetime | None = Field(description="To the minute.")


class Tokens(BaseModel):
    tokens: list[TokenAnswer]

    @classmethod
    def of(cls, tokens: list[ApiToken]) -> Self:
        return cls(tokens=[TokenAnswer.model_validate(token) for token in tokens])


class NewToken(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"name": "BI export", "scope": "read"}}
    )

    name: str = Field(
        min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$"
    )
    scope: Literal["read", "write", "admin"] = Field(
        default="read", description="Not wider than your role."
    )
    expires_at: AwareDatetime | None = Field(
        default=None, description="Left out: in 90 days. A year at most."
    )


class MadeToken(TokenAnswer):
    token: str = Field(description="Shown this once; only a hash of it is kept.")
