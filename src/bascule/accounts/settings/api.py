"""My own settings over HTTP: my ERPNext and my Nextcloud, and whether ERPNext lets me in."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from bascule.accounts.access import MayKeepServices, MayUseAccount, TheHub
from bascule.accounts.settings.integration import (
    NotConfigured,
    change_settings,
    shown,
    test_erpnext,
)

router = APIRouter(prefix="/api/auth/settings", tags=["My settings"])


class SettingsAnswer(BaseModel):
    """A secret has no place in it; that one is there is told."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "username": "maarten",
                "email": "maarten@example.com",
                "role": "admin",
                "erpnext_url": "https://erp.example.com",
                "erpnext_api_key": "abc123def456",
                "erpnext_api_secret_set": True,
                "nextcloud_url": None,
                "nextcloud_username": None,
                "nextcloud_password_set": False,
            }
        }
    )

    username: str
    email: str | None
    role: str
    erpnext_url: str | None
    erpnext_api_key: str | None
    erpnext_api_secret_set: bool
    nextcloud_url: str | None
    nextcloud_username: str | None
    nextcloud_password_set: bool


class SettingsChange(BaseModel):
    """What is left out, or null, stays as it is; an empty text clears it."""

    erpnext_url: str | None = Field(default=None, examples=["https://erp.example.com"])
    erpnext_api_key: str | None = Field(default=None, examples=["abc123def456"])
    erpnext_api_secret: str | None = Field(default=None, examples=["supersecretvalue"])
    nextcloud_url: str | None = Field(default=None, examples=["https://cloud.example.com"])
    nextcloud_username: str | None = None
    nextcloud_password: str | None = None


class TestPassed(BaseModel):
    success: Literal[True] = True
    user: str = Field(examples=["administrator@example.com"])


class TestFailed(BaseModel):
    success: Literal[False] = False
    error: str = Field(examples=['HTTP 401: {"exc_type":"AuthenticationError"}'])


class NotYet(BaseModel):
    """No more than this: programs that know it from elsewhere compare it whole."""

    detail: Literal["ERPNext credentials not configured"]


NOT_YET: dict[int | str, dict[str, Any]] = {
    400: {"model": NotYet, "description": "Address, key or secret is not there yet."}
}


@router.get("")
async def my_settings(user: MayUseAccount) -> SettingsAnswer:
    """Your own, without the secrets."""
    return SettingsAnswer.model_validate(shown(user))


@router.put("")
async def change_my_settings(
    hub: TheHub, user: MayKeepServices, body: Annotated[SettingsChange, Body()]
) -> SettingsAnswer:
    """Changes what is named and leaves the rest; an empty text clears a field."""
    changes = body.model_dump(exclude_none=True)
    return SettingsAnswer.model_validate(shown(await change_settings(hub, user, changes)))


@router.post("/erpnext/test", response_model=TestPassed | TestFailed, responses=NOT_YET)
async def test_my_erpnext(
    hub: TheHub, user: MayKeepServices
) -> TestPassed | TestFailed | JSONResponse:
    """Signs in to your ERPNext with what is stored. A site that refuses, or is down, is an answer
    too: 200 with `success: false`. 400: address, key or secret is not there yet.
    """
    try:
        found, said = await test_erpnext(hub, user)
    except NotConfigured as missing:
        return JSONResponse({"detail": missing.message}, 400)
    return TestPassed(user=found) if found is not None else TestFailed(error=said)
