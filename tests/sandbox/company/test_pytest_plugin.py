"""An outside project's test runs against a site of its own with nothing but the plugin."""

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

OUTSIDE_TEST = """
import json
import urllib.request


def ask(site, path, body=None, method="GET"):
    request = urllib.request.Request(
        site.url + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"token {site.api_key}:{site.api_secret}",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def test_it_answers_with_the_demo_company(erpnext_sandbox):
    path = "/api/method/frappe.auth.get_logged_user"
    assert ask(erpnext_sandbox, path)["message"] == "hub@example.com"
    path = "/api/method/frappe.client.get_count?doctype=Item"
    assert ask(erpnext_sandbox, path)["message"] > 100


def test_what_a_test_writes(erpnext_sandbox):
    ask(erpnext_sandbox, "/api/resource/UOM", {"uom_name": "Barrel"}, "POST")
    assert ask(erpnext_sandbox, "/api/resource/UOM/Barrel")["data"]["uom_name"] == "Barrel"


def test_the_next_does_not_see(erpnext_sandbox):
    ask(erpnext_sandbox, "/api/resource/UOM", {"uom_name": "Barrel"}, "POST")


def test_two_sites_are_two(erpnext_sandbox_factory):
    one, other = erpnext_sandbox_factory(), erpnext_sandbox_factory()
    assert one.url != other.url
"""


def test_the_fixtures_serve_an_outside_project(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(OUTSIDE_TEST)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=4)


def test_the_plugin_loads_nothing_until_it_is_used(pytester: pytest.Pytester) -> None:
    """Every pytest run of an environment with bascule imports it: it must cost next to nothing."""
    program = (
        "import sys, bascule.sandbox.pytest_plugin;"
        "print([name for name in sys.modules if name.split('.')[0] in ('aiohttp', 'sqlalchemy')"
        " or name.startswith('bascule.') and 'sandbox' not in name])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert answer.stdout.decode().strip() == "[]"
