"""What attacks are tried on: a mirror of a site, over a real PostgreSQL; see `mirrors`."""

from mirrors import mirrored

__all__ = ["mirrored"]
