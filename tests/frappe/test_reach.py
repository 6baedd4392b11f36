"""Where the client may go is asked about each address that it is about to connect to."""

import socket
from ipaddress import ip_address
from typing import Any

import pytest
from aiohttp import web

from bascule.frappe import AddressRefused, NotAFrappeSite, Site
from bascule.reach import is_refused, may_connect
from tests.frappe.stage import KEY, SECRET, stage

OPEN = may_connect(private_networks=True, loopback=True)
STRICT = may_connect(private_networks=False, loopback=False)
NEVER = [
    "169.254.169.254",
    "169.254.0.1",
    "fe80::1",
    "::ffff:169.254.169.254",
    "2002:a9fe:a9fe::1",
    "::169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "fd00:ec2::254",
    "fd20:ce::254",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "0.0.0.0",
    "0.1.2.3",
    "::",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
    "240.0.0.1",
]
OUR_NETWORKS = [
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.20",
    "100.64.0.1",
    "fd12:3456::1",
    "::ffff:10.0.0.1",
    "fec0::1",
    "198.18.0.1",
]


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_never_a_site(address: str) -> None:
    assert not OPEN(ip_address(address))
    assert is_refused(address, OPEN)


@pytest.mark.parametrize("address", OUR_NETWORKS)
def test_a_network_of_ones_own_is_reached_unless_the_setting_is_off(address: str) -> None:
    assert OPEN(ip_address(address))
    assert not STRICT(ip_address(address))


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_this_machine_has_a_setting_of_its_own(address: str) -> None:
    assert may_connect(private_networks=False, loopback=True)(ip_address(address))
    assert not may_connect(private_networks=True, loopback=False)(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "193.0.6.139"])
def test_the_internet_is_always_reached(address: str) -> None:
    assert STRICT(ip_address(address))


@pytest.mark.parametrize(
    "host", ["2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "metadata"]
)
def test_other_ways_of_writing_an_address_are_the_same_address(host: str) -> None:
    assert is_refused(host, OPEN)
    assert is_refused("metadata.google.internal.", OPEN)
    assert not is_refused("erp.example.com", OPEN)


async def test_nothing_is_sent_to_an_address_that_is_refused() -> None:
    async with stage(lambda _: {"message": "x"}) as site:
        async with site.site(may_connect=lambda _: False) as refused:
            with pytest.raises(AddressRefused, match="may not be connected to") as caught:
                await refused.logged_user()
        assert site.seen == []
        assert SECRET not in str(caught.value)
        async with site.site(may_connect=lambda address: address.is_loopback) as allowed:
            assert await allowed.logged_user() == "x"


async def test_a_name_that_leads_elsewhere_the_second_time_gets_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: the address that is judged is the one that is connected to."""
    looked_up = []

    def rebinding(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        looked_up.append(host)
        # Public when it is looked at, this machine when it is connected to.
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async with stage(lambda _: {"message": "x"}) as site:
        port = site.url.rpartition(":")[2]
        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        url = f"http://erp.example.com:{port}"
        async with Site(url, KEY, SECRET, allow_http=True, may_connect=STRICT) as refused:
            with pytest.raises(AddressRefused):
                await refused.logged_user()
        assert looked_up == ["erp.example.com"]
        assert site.seen == []


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1"])
async def test_a_number_for_this_machine_is_judged_as_this_machine(host: str) -> None:
    async with stage(lambda _: {"message": "x"}) as site:
        url = f"http://{host}:{site.url.rpartition(':')[2]}"
        async with Site(url, KEY, SECRET, allow_http=True, may_connect=STRICT) as refused:
            with pytest.raises((AddressRefused, NotAFrappeSite)):
                await refused.logged_user()
        assert site.seen == []


async def test_a_redirect_to_an_inner_address_is_told_and_not_followed() -> None:
    inner = "http://169.254.169.254/latest/meta-data"

    def redirect(_: Any) -> web.Response:
        return web.Response(status=302, headers={"Location": inner})

    async with stage(redirect) as site, site.site(may_connect=OPEN) as asked:
        with pytest.raises(NotAFrappeSite, match="not sent on"):
            await asked.logged_user()
        assert len(site.seen) == 1
