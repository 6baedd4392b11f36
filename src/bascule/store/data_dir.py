"""The data folder, and the secrets that are made once and kept in it."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bascule.store.errors import StoreError


def open_folder(path: Path) -> Path:
    """The folder, made where it is missing. As root others may pass through, and see no names."""
    path = path.expanduser().absolute()
    try:
        for parent in [one for one in reversed(path.parents) if not one.exists()]:
            parent.mkdir(exist_ok=True)
            parent.chmod(0o755)  # whatever the umask: PostgreSQL's account has to pass
        with suppress(FileExistsError):  # made before, or by another start just now
            path.mkdir()
            path.chmod(0o711 if hasattr(os, "geteuid") and os.geteuid() == 0 else 0o700)
    except OSError as error:
        raise StoreError(
            f"The data folder {path} cannot be made: {error.strerror}.",
            next_step="Set BASCULE_DATA_DIR to a folder that you can write to.",
        ) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise StoreError(
            f"The data folder {path} cannot be written to.",
            next_step="Run as the folder's owner, or set BASCULE_DATA_DIR to a folder of your own.",
        )
    return path


@contextmanager
def private_files() -> Iterator[None]:
    """Whatever this process makes meanwhile is its account's alone."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def kept_secret(path: Path, make: Callable[[], str]) -> str:
    """What the file says; made with mode 600 if it is missing. Of two makers one wins, for both.

    The file appears whole or not at all: a link to a written one cannot be half there.
    """
    try:
        if not path.exists():
            _make(path, make())
        secret = path.read_text().strip()
    except OSError as error:
        raise StoreError(
            f"The file {path} cannot be read or written: {error.strerror}.",
            next_step="Run as the owner of the data folder, or set BASCULE_DATA_DIR to your own.",
        ) from error
    if not secret:
        raise StoreError(
            f"The file {path} is empty.",
            next_step="Put it back from a backup; without it nothing can be decrypted.",
        )
    return secret


def replace_secret(path: Path, secret: str) -> None:
    """The file says this from now on; at no moment is it gone or half there."""
    try:
        name = _write_beside(path, secret)
        before = path.stat()
        if name.stat().st_uid != before.st_uid:
            os.chown(name, before.st_uid, before.st_gid)  # root does it for the hub's own user
        name.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # what is encrypted next must not outlive the new name
        finally:
            os.close(folder)
    except OSError as error:
        raise StoreError(
            f"The file {path} cannot be written: {error.strerror}.",
            next_step="Run as the owner of the data folder; nothing was changed.",
        ) from error


def _make(path: Path, secret: str) -> None:
    name = _write_beside(path, secret)
    try:
        path.hardlink_to(name)
    except FileExistsError:
        return
    finally:
        name.unlink()


def _write_beside(path: Path, secret: str) -> Path:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 600
    with os.fdopen(descriptor, "w") as file:
        file.write(secret + "\n")
        file.flush()
        os.fsync(file.fileno())
    return Path(name)
