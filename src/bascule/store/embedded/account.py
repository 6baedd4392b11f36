"""Who the embedded PostgreSQL runs as: us, or, when we are root, an account that may do less."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bascule.store.errors import CannotStart

UNPRIVILEGED = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    name: str
    user: int
    group: int
    is_us: bool

    @property
    def options(self) -> dict[str, Any]:
        """For subprocess: drops to this account where we are not it."""
        if self.is_us:
            return {}
        return {"user": self.user, "group": self.group, "extra_groups": []}


def account_for(cluster: Path) -> Account:
    """As root: the owner of the cluster where there is one, else the first unprivileged account."""
    if os.geteuid() != 0:
        return Account("", os.geteuid(), os.getegid(), is_us=True)
    if cluster.is_dir() and (owner := cluster.stat()).st_uid != 0:
        return Account(_name(owner.st_uid), owner.st_uid, owner.st_gid, is_us=False)
    for name in UNPRIVILEGED:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, found.pw_uid, found.pw_gid, is_us=False)
    raise CannotStart(
        "PostgreSQL never runs as root, and this machine has no account 'postgres' or 'nobody'.",
        next_step="Run the hub as an ordinary user, or set BASCULE_DATABASE_URL.",
    )


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def first_closed(path: Path, account: Account) -> Path | None:
    """The first folder on the way to `path` that the account may not enter; asked as it."""
    ways = [str(folder) for folder in reversed(path.absolute().parents)]
    script = 'for way; do test -x "$way" || { printf %s "$way"; exit 1; }; done'
    try:
        ran = subprocess.run(
            ["/bin/sh", "-c", script, "sh", *ways],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            **account.options,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise CannotStart(
            f"PostgreSQL never runs as root, and we cannot become '{account.name}': {error}.",
            next_step="Run the hub as an ordinary user, or set BASCULE_DATABASE_URL.",
        ) from error
    return Path(ran.stdout) if ran.returncode else None
