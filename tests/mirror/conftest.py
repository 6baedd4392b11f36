"""Runs carried out in this process, over a real PostgreSQL; see `mirrors`."""

from mirrors import mirrored

__all__ = ["mirrored"]
