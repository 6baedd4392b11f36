"""The data folder, and the secrets that are created once and stored in it."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bascule.store.errors import StoreError


def open_folder(path: Path) -> Path:
    """Creates the folder where it is missing. For root, other accounts may pass but not list it."""
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
    """Files that this process creates within the block are readable by its account alone."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def kept_secret(path: Path, make: Callable[[], str]) -> str:
    """The secret in the file, which is created with mode 600 where it is missing.

    Of two processes that create it at once, both get the same one. The file appears whole: it is
    written beside and then linked.
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
    """Replaces the secret in the file atomically."""
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
