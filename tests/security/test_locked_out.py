"""Strangers guess at somebody's password, to keep them out; and what of it the audit tells."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import pytest

from bascule.accounts import throttle
from bascule.audit.counted import CountedEvents
from tests.kit.api import Answer
from tests.kit.hub import RunningHub
from tests.kit.visitors import Browser, Somebody, Visitor, next_address

Make = Callable[..., Somebody]
TRIES = 73
PROXY = next_address()  # one that the hub was not told of: everybody has its address


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as in the product, of hardly any length."""
    monkeypatch.setattr(throttle.Pace, "wait_at", lambda self, n: 0.02 if n > self.free else 0)


def sign_in(browser: Browser, somebody: Somebody, name: str = "") -> Answer:
    form = {"name": name or somebody.username, "password": somebody.password}
    return browser.send("/sign-in", form)


@contextmanager
def guessed_at(somebody: Somebody, addresses: Callable[[], str]) -> Iterator[list[int]]:
    """Four strangers guess at this account for as long as the block lasts."""
    until, statuses = threading.Event(), list[int]()

    def guess() -> None:
        while not until.is_set():
            for name in (somebody.username, somebody.email):
                answer = somebody.try_login("a guess", name=name, address=addresses())
                statuses.append(answer.status)

    threads = [threading.Thread(target=guess) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        until.set()
        for thread in threads:
            thread.join()


def got_in(answers: list[Answer]) -> int:
    return sum(answer.status == 303 for answer in answers)


def test_the_victim_signs_in_with_a_browser_that_is_known_every_time(make_person: Make) -> None:
    """The strangers have the victim's own address: behind a proxy that nobody named."""
    anna = make_person()
    browser = Browser(anna.url, PROXY)
    assert sign_in(browser, anna).status == 303
    assert set(browser.cookies) == {"bascule_session", "bascule_device"}
    with guessed_at(anna, lambda: PROXY) as statuses:
        while len(statuses) < 40:
            assert sign_in(browser, anna).status == 303
        answers = [sign_in(browser, anna) for _ in range(TRIES)]
    assert got_in(answers) == TRIES
    assert 200 not in statuses and 429 in statuses


def test_the_victim_signs_in_with_a_new_browser_from_elsewhere_every_time(
    make_person: Make,
) -> None:
    anna = make_person()
    with guessed_at(anna, next_address) as statuses:
        while len(statuses) < 40:
            sign_in(Browser(anna.url, next_address()), anna)
        answers = [sign_in(Browser(anna.url, next_address()), anna) for _ in range(TRIES)]
    assert got_in(answers) == TRIES
    assert 200 not in statuses


def test_behind_a_proxy_that_nobody_named_others_sign_in_all_the_same(make_person: Make) -> None:
    """Also where the strangers try names that nobody has."""
    anna, others = make_person(), [make_person() for _ in range(5)]
    for number in range(40):
        assert anna.try_login("x", name=f"nobody-{number}", address=PROXY).status == 401
    with guessed_at(anna, lambda: PROXY):
        answers = [sign_in(Browser(anna.url, PROXY), other) for other in others for _ in range(4)]
    assert got_in(answers) == 20


def test_a_made_up_or_stolen_device_gains_nothing(make_person: Make) -> None:
    anna, mallory = make_person(), make_person()
    theirs = Browser(anna.url, next_address())
    assert sign_in(theirs, mallory).status == 303
    for device in ("made up", theirs.cookies["bascule_device"]):
        address = next_address()
        tries = threading.Barrier(20)
        statuses: list[int] = []

        def guess(
            device: str = device,
            address: str = address,
            tries: Any = tries,
            statuses: list[int] = statuses,
        ) -> None:
            tries.wait()
            form = {"name": anna.username, "password": "a guess"}
            cookie = f"bascule_device={device}"
            visitor = Visitor(anna.url, address=address)
            statuses.append(
                visitor.ask("POST", "/sign-in", form=form, headers={"Cookie": cookie}).status
            )

        threads = [threading.Thread(target=guess) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert 429 in statuses and statuses.count(401) < 20


def test_a_cookie_that_somebody_planted_is_not_taken(make_person: Make) -> None:
    anna = make_person()
    browser = Browser(anna.url, next_address())
    browser.cookies["bascule_device"] = "planted"
    assert sign_in(browser, anna).status == 303
    assert browser.cookies["bascule_device"] != "planted"


def test_the_throttle_does_not_tell_that_two_names_are_one_persons(make_person: Make) -> None:
    """Guessed at by one name, an account's other name answers as one that nobody has."""
    anna, address = make_person(), next_address()
    for _ in range(6):
        anna.try_login("a guess", address=address)
    keys = set()
    for name in (anna.username, anna.email, "nobody-at-all"):
        answer = anna.try_login("a guess", name=name, address=address)
        assert answer.status == 401
        keys.add(answer.body)
    assert len(keys) == 1


def test_no_name_that_somebody_typed_is_kept(make_person: Make, sql: Any) -> None:
    anna = make_person()
    anna.try_login("a guess")
    anna.try_login("a guess", name="my-password-in-the-wrong-place")
    kept = " ".join(key for (key,) in sql("SELECT key FROM bascule.sign_in_attempts"))
    assert anna.username not in kept and "my-password" not in kept


def test_what_strangers_try_is_counted_in_the_audit_in_a_row_each_hour(
    make_person: Make,
    running_hub: RunningHub,
    admin: Visitor,
) -> None:
    anna, address = make_person(), next_address()
    unknown = Visitor(anna.url, "bsc_" + "x" * 43, address=address)

    def told(action: str) -> list[dict[str, Any]]:
        running_hub.run(running_hub.hub.shared[CountedEvents].write())
        query = urlencode({"action": action, "limit": 500})
        entries = admin.get(f"/api/audit?{query}").json["entries"]
        return [each for each in entries if each["address"] == address]

    for round_ in (1, 2):
        for _ in range(30):
            assert unknown.get("/api/connectors").status == 401
            assert unknown.post("/api/webhooks/erpnext/Customer", {}).status == 401
            assert unknown.post("/api/auth/refresh", {"refresh_token": "x"}).status == 401
        for action in ("bearer.refused", "webhook.refused", "refresh.refused"):
            (row,) = told(action)
            assert row["detail"]["times"] == 30 * round_
            assert row["username"] == ""
    threads = [
        threading.Thread(target=lambda: anna.try_login("a guess", address=address))
        for _ in range(30)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (row,) = told("sign-in.throttled")
    assert row["detail"]["times"] >= 1


@pytest.mark.parametrize("named", [True, False])
def test_doctor_says_when_everybody_has_one_address(
    named: bool,
    database_url: str,
    tmp_path: Any,
) -> None:
    import asyncio

    from bascule.cli.admin.findings import one_address
    from bascule.hub import open_hub
    from bascule.settings import Settings

    settings = Settings.model_validate(
        {
            "data_dir": tmp_path,
            "database_url": database_url,
            "secret_key": "a key for tests",
            "public_url": "https://hub.example.com",
        }
    )

    async def found() -> list[Any]:
        async with open_hub(settings) as hub:
            async with hub.db.connection() as conn:
                for number in range(25):
                    last = number if named else 1
                    await conn.execute(
                        "INSERT INTO bascule.audit (username, action, via, address, object, detail)"
                        " VALUES ('', 'sign-in', 'session', %s, '', '{}')",
                        [f"172.18.0.{last}"],
                    )
            return await one_address(hub)

    findings = asyncio.run(found())
    if named:
        assert findings == []
    else:
        (finding,) = findings
        assert "172.18.0.1" in finding.next_step
        assert "BASCULE_TRUSTED_PROXIES" in finding.next_step
