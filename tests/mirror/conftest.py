"""Runs carried out in this process, over a real PostgreSQL; see `mirrors`."""

from tests.kit.mirrored import mirrored

__all__ = ["mirrored"]
