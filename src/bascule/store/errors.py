"""What can be wrong with the database or the data folder. Every error carries the next step."""


class StoreError(Exception):
    def __init__(self, message: str, *, next_step: str) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step


class CannotStart(StoreError):
    """The embedded PostgreSQL does not start."""


class CannotConnect(StoreError):
    """A PostgreSQL was named and lets nobody in, or is not there."""


class Unsuitable(StoreError):
    """A PostgreSQL lets us in and cannot hold a hub: a standby, an encoding, how it is pooled."""


class WrongVersion(StoreError):
    """The server, the cluster's files or the hub's tables are of a version that does not fit."""


class WrongKey(StoreError):
    """A stored secret was encrypted with another key."""


class CannotBackUp(StoreError):
    """There is nothing to back up, or nowhere to put it, or it did not get done."""


class CannotRestore(StoreError):
    """A backup does not fit here, or what is here does not let it in. Nothing was changed."""
