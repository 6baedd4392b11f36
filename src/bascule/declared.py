"""What the OpenAPI says of problems: on every route those that occur there, and no others.

A route declares its own, such as a 409, in a few words. What follows from the route's shape,
and how a problem is written, is added here to all of them.
"""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from bascule import problems
from bascule.connections.schemas import CheckAnswer

Responses = dict[int | str, dict[str, Any]]


class Problem(BaseModel):
    """What went wrong and what to do about it (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": problems.NOT_FOUND.type,
                "title": problems.NOT_FOUND.title,
                "status": problems.NOT_FOUND.status,
                "detail": "There is no such connection.",
                "next_step": "GET /api/connectors, or 'bascule status', lists the ones there are.",
            }
        }
    )

    type: str = Field(description="The kind, for programs; it never changes.")
    title: str = Field(description="The kind, for people.")
    status: int
    detail: str
    next_step: str
    fields: dict[str, str] | None = None
    check: CheckAnswer | None = None


# Of every route that wants a token.
RESPONSES: Responses = {
    401: {"model": Problem, "description": "No token, or one that opens nothing."},
    403: {"model": Problem, "description": "Your role, or your token's scope, does not let you."},
    422: {"model": Problem, "description": "A value that cannot be taken; `fields` names it."},
    503: {"model": Problem, "description": "The hub's database cannot be reached."},
}

# And of those that sign somebody in.
OPEN_RESPONSES: Responses = {
    401: {"model": Problem, "description": "This opens nothing."},
    422: RESPONSES[422],
    503: RESPONSES[503],
}

OF_A_BODY = {"400": "The body cannot be read.", "413": "The body has more than 1 MB."}
OF_A_PATH = {"404": "What is named is not there, or not for you to see."}
SCHEMA = {"schema": {"$ref": "#/components/schemas/Problem"}}
AS_JSON = {"application/json": SCHEMA}  # where FastAPI puts the model of a response
WRITTEN = {problems.MEDIA_TYPE: SCHEMA}


class DeclaredApi(FastAPI):
    """FastAPI, whose OpenAPI tells every problem."""

    def openapi(self) -> dict[str, Any]:
        openapi = super().openapi()  # the same one each time
        for path, methods in openapi["paths"].items():
            for route in methods.values():
                # What is open says no more of what is there than that nobody is let in.
                _complete(route, named="{" in path and "security" in route)
        return openapi


def _complete(route: dict[str, Any], *, named: bool) -> None:
    responses: dict[str, dict[str, Any]] = route["responses"]
    of_its_shape = (OF_A_BODY if "requestBody" in route else {}) | (OF_A_PATH if named else {})
    for status, description in of_its_shape.items():
        responses.setdefault(status, {"description": description})
    for status, response in responses.items():
        if status >= "4" and response.get("content", AS_JSON) == AS_JSON:
            response["content"] = WRITTEN
    route["responses"] = dict(sorted(responses.items()))
