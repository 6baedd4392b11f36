"""What attacks are tried on: a mirror of a site, over a real PostgreSQL, see `mirrors`; people of
every role at a hub, see `accounts`.
"""

from accounts.conftest import (
    _quick_passwords,
    accounts_hub,
    admin,
    browse,
    make_person,
    make_token,
    sql,
    stranger,
)
from mirrors import mirrored

__all__ = [
    "_quick_passwords",
    "accounts_hub",
    "admin",
    "browse",
    "make_person",
    "make_token",
    "mirrored",
    "sql",
    "stranger",
]
