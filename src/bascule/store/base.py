"""The declarative base of the hub's own tables, all in the schema ``bascule``.

Mirrored data is not declared here: it lives in one schema a connection, made by `bascule.mirror`.
"""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import DateTime, MetaData
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase

HUB_SCHEMA = "bascule"


def encrypted(called: str, *, beside: str = "") -> dict[str, str]:
    """For `mapped_column(info=...)` of a column of encrypted text (Fernet, see `vault`).

    `called` names the secret in a person's words. `beside` is the column of the address that it was
    given for and is never sent away from (`address_binding`); empty where it is sent nowhere.
    `key_rotation` re-encrypts every such column.
    """
    return {"called": called, "beside": beside} if beside else {"called": called}


def made_here(called: str) -> dict[str, str]:
    """For `mapped_column(info=...)` of a key that the hub makes for itself, encrypted.

    Key rotation deletes such rows instead of encrypting them again, and the hub makes new ones:
    whoever knew the old secret key may have read them.
    """
    return {"made_here": called}


class Base(DeclarativeBase):
    metadata = MetaData(
        schema=HUB_SCHEMA,
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        },
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
        list[str]: JSONB,
    }
    # The columns whose change by a person the journal tells, with both values; see events.changes.
    told: ClassVar[tuple[str, ...]] = ()

    @property
    def told_as(self) -> str:
        """Which one it is, where a connection has several of its kind."""
        return ""
