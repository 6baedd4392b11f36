"""A field of a connector type's form."""

from typing import Literal

from pydantic import BaseModel, Field

FieldKind = Literal[
    "text", "url", "password", "switch", "number", "schedule", "presets", "warehouses"
]


class FormField(BaseModel):
    """`group`: fields of one group stand together, in the order of `GROUPS`."""

    name: str
    label: str
    type: FieldKind
    group: str
    required: bool = False
    default: bool | int | str | list[str] | None = None
    placeholder: str | None = None
    help: str
    where: str | None = Field(default=None, description="Where to find the value.")
    options: list[str] | None = None
    labels: list[str] | None = Field(default=None, description="The options in words.")
    unit: str | None = None
    minimum: int | None = None
    maximum: int | None = None
    secret: bool = Field(default=False, description="Never shown again once it is given.")
    advanced: bool = False
