"""Runs carried out in this process, over a real PostgreSQL; see `kit.mirrored`."""

from tests.kit.hub import hub_fixture
from tests.kit.mirrored import mirrored

__all__ = ["mirrored"]

running_hub = hub_fixture("session")
