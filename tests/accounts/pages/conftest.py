"""A hub of this folder's own."""

from tests.kit.hub import hub_fixture

running_hub = hub_fixture("session", worker=False, trusted_proxies="127.0.0.1")
