"""A backup's file: a zip of pg_dump's own output, what it is of, and, where that was asked for, the
secret key.

Its members are stored as they are, so `unzip` and `pg_restore` take it apart without Bascule.
"""

import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO, Any

from bascule.store.errors import CannotBackUp, CannotRestore

FORMAT = 1
MANIFEST = "backup.json"  # the last to be written: a file that was cut off has none
DUMP = "database.dump"
KEYS = "secret.key"
COPIED = 1 << 20  # bytes at a time


@dataclass(frozen=True, slots=True)
class Manifest:
    """`revision`: of the hub's tables. `fingerprints`: of the secret keys that open what is in it,
    the newest first. `database_bytes`: what it took in PostgreSQL. `made_at`: ISO 8601, UTC.
    """

    format: int
    version: str
    revision: str
    postgresql: int
    made_at: str
    database_bytes: int
    tables: int
    connections: int
    records: int
    people: int
    fingerprints: tuple[str, ...]
    with_key: bool

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Writing:
    """A backup on its way into a file that nobody sees before it is whole."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    @contextmanager
    def dump(self) -> Iterator[IO[bytes]]:
        with self._archive.open(DUMP, "w", force_zip64=True) as member:
            yield member

    def keys(self, keys: list[str]) -> None:
        self._archive.writestr(KEYS, "\n".join(keys) + "\n")

    def manifest(self, manifest: Manifest) -> None:
        self._archive.writestr(MANIFEST, json.dumps(manifest.as_json(), indent=2) + "\n")


@contextmanager
def writing(path: Path, *, overwrite: bool) -> Iterator[Writing]:
    """The file appears whole and with mode 600 when the block ends, and not at all where it fails.
    CannotBackUp: it is there already, or cannot be written.
    """
    _refuse_what_is_there(path, overwrite=overwrite)
    for left in path.parent.glob(f".{path.name}.*.partial"):
        left.unlink(missing_ok=True)  # of a backup that was killed
    partial = path.parent / f".{path.name}.{os.getpid()}.partial"
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(partial, flags, 0o600), "w+b") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                yield Writing(archive)
            file.flush()
            os.fsync(file.fileno())
        _refuse_what_is_there(path, overwrite=overwrite)
        partial.replace(path)
    except OSError as error:
        raise CannotBackUp(
            f"The backup {path} cannot be written: {error.strerror}.",
            next_step="Name a file in a folder that you can write to, on a disk with room.",
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def _refuse_what_is_there(path: Path, *, overwrite: bool) -> None:
    if path.is_dir() or (path.exists() and not overwrite):
        raise CannotBackUp(
            f"{path} is there already.",
            next_step="Name another file, or add --overwrite to replace it.",
        )


@dataclass(frozen=True, slots=True)
class Backup:
    """One that can be read: `keys` is empty where it was made without."""

    path: Path
    manifest: Manifest
    keys: tuple[str, ...]

    def copy_dump(self, to: IO[bytes] | None) -> Iterator[int]:
        """The dump in parts, into `to` where that is given; the bytes of each. CannotRestore at the
        end where its checksum is not the one that was written.
        """
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(DUMP) as member:
                while part := member.read(COPIED):
                    if to is not None:
                        to.write(part)
                    yield len(part)
        except zipfile.BadZipFile as error:
            raise _damaged(self.path) from error

    @property
    def dump_bytes(self) -> int:
        with zipfile.ZipFile(self.path) as archive:
            return archive.getinfo(DUMP).file_size


def read_backup(path: Path) -> Backup:
    """CannotRestore: it is none, is not whole, or was made by a newer Bascule."""
    try:
        with zipfile.ZipFile(path) as archive:
            said = json.loads(archive.read(MANIFEST))
            keys = archive.read(KEYS).decode().split() if said.get("with_key") else []
            archive.getinfo(DUMP)
    except OSError as error:
        raise CannotRestore(
            f"The backup {path} cannot be read: {error.strerror}.",
            next_step="Name a file that 'bascule backup' made, and that you may read.",
        ) from error
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise _damaged(path) from error
    if said.get("format") != FORMAT:
        raise CannotRestore(
            f"{path} was made by a newer Bascule ({said.get('version')}).",
            next_step="Upgrade this one: pip install --upgrade bascule.",
        )
    known = {field.name for field in fields(Manifest)}
    try:
        taken = {name: value for name, value in said.items() if name in known}
        manifest = Manifest(**taken | {"fingerprints": tuple(said["fingerprints"])})
    except (KeyError, TypeError) as error:
        raise _damaged(path) from error
    return Backup(path, manifest, tuple(keys))


def _damaged(path: Path) -> CannotRestore:
    return CannotRestore(
        f"{path} is no backup of Bascule, or it is damaged.",
        next_step="Name another file that 'bascule backup' made; 'bascule restore FILE --check' "
        "tells whether one is whole.",
    )
