"""A hub with a worker for all tests of this folder; each makes connections of its own in it."""

from tests.kit.hub import hub_fixture

running_hub = hub_fixture("session")
