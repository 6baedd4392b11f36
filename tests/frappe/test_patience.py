"""What the client does while a site struggles: who is asked again, who never, how many at once."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web

from bascule.frappe import (
    Duplicate,
    FrappeError,
    Invalid,
    NotAFrappeSite,
    RateLimited,
    Site,
    SiteDown,
    Timeout,
)
from tests.frappe.stage import KEY, SECRET, Seen, Stage, as_frappe, page_of_html, stage

GONE = "MySQLdb.OperationalError: (2006, 'Server has gone away')"


def after(failures: int, failure: Callable[[], Any], success: Any) -> Callable[[Seen], Any]:
    left = [failures]

    def answer(_: Seen) -> Any:
        left[0] -= 1
        return failure() if left[0] >= 0 else success

    return answer


def hang_up(_: Seen) -> Awaitable[Any]:
    async def hanging() -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()  # the server drops the connection without an answer
        await asyncio.sleep(1)
        return web.Response()

    return hanging()


PASSING = {
    "a proxy's 502": lambda: page_of_html(502, "Bad Gateway"),
    "maintenance": lambda: page_of_html(503, "Updating"),
    "a proxy's timeout": lambda: page_of_html(504, "Gateway Timeout"),
    "a tired database": lambda: (500, {"exc_type": "OperationalError", "exception": GONE}),
    "half an answer": lambda: web.Response(text='{"mess', content_type="application/json"),
    "a deadlock": lambda: (417, {"exc_type": "QueryDeadlockError"}),
    "too many requests": lambda: (429, {"exc_type": "TooManyRequestsError"}),
}


@pytest.mark.parametrize("failure", PASSING.values(), ids=PASSING)
async def test_a_read_is_asked_again_when_the_site_could_not_answer(
    failure: Callable[[], Any],
) -> None:
    async with stage(after(2, failure, {"message": [["a"]]})) as there, there.site() as site:
        page = await site.page("Item", ["name"], limit=1)
    assert page.last == ("a",)
    assert len(there.seen) == 3


@pytest.mark.parametrize("failure", PASSING.values(), ids=PASSING)
async def test_a_write_is_never_sent_twice(failure: Callable[[], Any]) -> None:
    async with stage(after(1, failure, {"data": {"name": "x"}})) as there, there.site() as site:
        with pytest.raises((SiteDown, RateLimited)):
            await site.insert("Customer", {"customer_name": "x"})
    assert len(there.seen) == 1


@pytest.mark.parametrize(
    "write",
    [
        lambda site: site.update("Customer", "x", {}),
        lambda site: site.delete("Customer", "x"),
        lambda site: site.submit("Sales Order", "x"),
        lambda site: site.cancel("Sales Order", "x"),
        lambda site: site.insert_many([{"doctype": "Customer"}]),
        lambda site: site.rename("Customer", "x", "y"),
        lambda site: site.call("an.app.does_something"),
    ],
)
async def test_no_kind_of_write_is_sent_twice_when_its_answer_got_lost(
    write: Callable[[Site], Awaitable[Any]],
) -> None:
    async with stage(hang_up) as there, there.site() as site:
        with pytest.raises(SiteDown, match="closed the connection"):
            await write(site)
    assert len(there.seen) == 1


async def test_a_dropped_connection_is_a_site_down_and_a_read_survives_it() -> None:
    dropped = [True]

    def answer(seen: Seen) -> Any:
        return hang_up(seen) if dropped and dropped.pop() else {"message": "pong"}

    async with stage(answer) as there, there.site() as site:
        assert await site.get("ping") == "pong"
    assert len(there.seen) == 2


async def test_patience_ends_and_the_last_refusal_is_told() -> None:
    async with stage(lambda _: page_of_html(502, "Bad Gateway")) as there, there.site() as site:
        with pytest.raises(SiteDown, match="502"):
            await site.list("Item")
    assert len(there.seen) == 5


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((417, {"exc_type": "ValidationError"}), Invalid),
        ((409, {"exc_type": "DuplicateEntryError"}), Duplicate),
        ((500, {"exc_type": "IndexError", "exception": "IndexError: out of range"}), Invalid),
        ((404, {"detail": "Not Found"}), NotAFrappeSite),
    ],
)
async def test_what_the_same_request_brings_up_again_is_not_asked_again(
    answer: Any, error: type[FrappeError]
) -> None:
    async with stage(lambda _: answer) as there, there.site() as site:
        with pytest.raises(error):
            await site.get("some.method")
    assert len(there.seen) == 1


async def test_nothing_listens_there() -> None:
    async with stage(lambda _: {}) as there:
        url = there.url
    async with Site(url, KEY, SECRET) as site:
        with pytest.raises(SiteDown, match="connection refused"):
            await site.logged_user()


@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "a date"])
async def test_the_pause_that_a_site_asks_for_is_kept_by_all_its_requests(as_date: bool) -> None:
    came: list[float] = []

    def answer(_: Seen) -> Any:
        came.append(time.monotonic())
        if len(came) > 1:
            return {"message": "pong"}
        until = datetime.now(UTC) + timedelta(seconds=2)
        pause = format_datetime(until, usegmt=True) if as_date else "1"
        return as_frappe({"exc_type": "TooManyRequestsError"}, 429, {"Retry-After": pause})

    async with stage(answer) as there, there.site() as site:
        first = asyncio.create_task(site.get("ping"))
        while not came:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.4)  # by now the client has read the refusal
        await asyncio.gather(first, site.get("ping"))
    assert min(came[1:]) - came[0] > 0.9


async def test_a_pause_too_long_to_wait_for_is_told_to_the_caller() -> None:
    refusal = as_frappe({"exc_type": "TooManyRequestsError"}, 429, {"Retry-After": "3600"})
    async with stage(lambda _: refusal) as there, there.site() as site:
        with pytest.raises(RateLimited) as caught:
            await site.get("ping")
    assert caught.value.retry_after == 3600
    assert len(there.seen) == 1


async def test_a_page_that_takes_too_long_is_asked_for_with_fewer_rows() -> None:
    async def answer(seen: Seen) -> Any:
        wanted = seen.json["limit_page_length"]
        if wanted > 200:
            await asyncio.sleep(30)
        return {"message": [[f"{n:04}"] for n in range(wanted)]}

    async with stage(answer) as there, there.site(timeout=4) as site:
        page = await site.page("Item", ["name"], limit=2_000)
    assert [seen.json["limit_page_length"] for seen in there.seen] == [2_000, 500, 125]
    assert (page.asked, page.count, page.full) == (125, 125, True)


async def test_a_body_that_drips_is_a_timeout() -> None:
    async def answer(_: Seen) -> Any:
        await asyncio.sleep(30)

    async with stage(answer) as there, there.site(timeout=2) as site:
        with pytest.raises(Timeout, match=r"2(\.0)? seconds"):
            await site.insert("Customer", {})
    assert len(there.seen) == 1


class Crowd:
    """Counts how many requests are under way at once."""

    def __init__(self, seconds: float = 0.02) -> None:
        self.seconds = seconds
        self.now = self.most = 0

    async def answer(self, _: Seen) -> Any:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(self.seconds)
        self.now -= 1
        return {"message": [["a"]]}


async def pages(site: Site, count: int) -> None:
    await asyncio.gather(*(site.page("Item", ["name"], limit=1) for _ in range(count)))


async def test_a_site_is_asked_two_things_at_first_and_more_while_it_keeps_its_pace() -> None:
    crowd = Crowd()
    async with stage(crowd.answer) as there, there.site(max_concurrency=4) as site:
        await pages(site, 2)
        assert crowd.most <= 2
        for _ in range(20):  # a machine that gets slower meanwhile looks like a site that does
            if crowd.most <= 2:
                await pages(site, 40)
        assert crowd.most > 2
    assert crowd.most <= 4


async def test_never_more_at_once_than_the_connection_allows() -> None:
    crowd = Crowd()
    async with stage(crowd.answer) as there, there.site(max_concurrency=1) as site:
        await pages(site, 10)
    assert crowd.most == 1


async def test_fewer_at_once_after_a_refusal() -> None:
    crowd = Crowd()
    refuse = [False]

    async def answer(seen: Seen) -> Any:
        if refuse and refuse.pop():
            return page_of_html(503, "Busy")
        return await crowd.answer(seen)

    async with stage(answer) as there, there.site(max_concurrency=8) as site:
        await pages(site, 60)
        while site.concurrency <= 2:
            await pages(site, 20)
        await asyncio.sleep(0.6)  # within half a second of another cut there is none
        before = site.concurrency
        refuse.append(True)
        await site.page("Item", ["name"], limit=1)
        assert before > 2
        assert site.concurrency <= before // 2 + 1


async def test_fewer_at_once_when_answers_become_slower_the_more_are_asked_for() -> None:
    """A site with one worker: each request waits for those before it."""
    worker = asyncio.Lock()

    async def answer(_: Seen) -> Any:
        async with worker:
            await asyncio.sleep(0.02)
        return {"message": [["a"]]}

    async with stage(answer) as there, there.site(max_concurrency=32) as site:
        await site.page("Item", ["name"], limit=1)
        highest = 0
        for _ in range(8):
            await pages(site, 24)
            highest = max(highest, site.concurrency)
    assert highest < 16


async def test_the_last_tenth_of_a_rate_limit_is_used_one_request_at_a_time() -> None:
    crowd = Crowd()

    async def answer(seen: Seen) -> Any:
        headers = {
            "X-RateLimit-Limit": "1000000",
            "X-RateLimit-Remaining": "90000",
            "X-RateLimit-Reset": "3000",
        }
        return as_frappe(await crowd.answer(seen), headers=headers)

    async with stage(answer) as there, there.site() as site:
        await site.page("Item", ["name"], limit=1)
        crowd.most = 0
        await pages(site, 6)
    assert crowd.most == 1


async def test_a_cancelled_request_gives_its_place_back() -> None:
    async def answer(seen: Seen) -> Any:
        if len(there.seen) == 1:
            await asyncio.sleep(5)
        return {"message": "pong"}

    there: Stage
    async with stage(answer) as there, there.site(max_concurrency=1) as site:
        slow = asyncio.create_task(site.get("ping"))
        while not there.seen:
            await asyncio.sleep(0.01)
        waiting = asyncio.create_task(site.get("ping"))
        slow.cancel()
        assert await waiting == "pong"


async def test_requests_cancelled_at_any_moment_leave_every_place_free() -> None:
    crowd = Crowd(0.005)
    async with stage(crowd.answer) as there, there.site(max_concurrency=3) as site:
        for moment in range(30):
            tasks = [asyncio.create_task(site.get("ping")) for _ in range(8)]
            await asyncio.sleep(moment / 3_000)
            for task in tasks[moment % 3 :: 2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        crowd.most = 0
        await asyncio.wait_for(pages(site, 20), 60)
    assert crowd.most <= 3


@pytest.mark.parametrize(
    ("to", "step"),
    [
        ("https://erp.example.com/api/method/ping", "Use https://erp.example.com"),
        ("/login?redirect-to=/api", "Check the site's address"),
        ("https://user:pass@evil.example.com/", "Check the site's address"),
        ("https://127.0.0.1/api/method/ping", "Use https://127.0.0.1 as the site's address."),
        ("https://127.0.0.1/login", "Check the site's address"),
        ("https://sso.example.com/login?rd=https://erp/api/method/ping", "That is another host"),
        ("https://sso.example.com/realms/a/api/method/ping", "That is another host"),
        ("https://sso.example.com", "That is another host"),
    ],
)
async def test_credentials_do_not_follow_a_redirect(to: str, step: str) -> None:
    def answer(_: Seen) -> Any:
        return web.Response(status=301, headers={"Location": to})

    async with stage(answer) as there, there.site() as site:
        with pytest.raises(NotAFrappeSite) as caught:
            await site.logged_user()
    assert caught.value.next_step.startswith(step)
    assert "pass@" not in str(caught.value) + caught.value.next_step
    assert len(there.seen) == 1


@pytest.mark.parametrize(
    "answer",
    [
        lambda: page_of_html(200, "Welcome to nginx"),
        lambda: page_of_html(403, "Blocked by the firewall"),
        lambda: page_of_html(404, "localhost does not exist"),
        lambda: web.json_response(["a"]),
        lambda: web.json_response({"error": "no such thing"}, status=404),
    ],
)
async def test_what_is_no_frappe_site_is_told_apart(answer: Callable[[], Any]) -> None:
    async with stage(lambda _: answer()) as there, there.site() as site:
        with pytest.raises(NotAFrappeSite) as caught:
            await site.logged_user()
    assert "address" in caught.value.next_step


async def test_a_service_that_speaks_no_http_is_no_frappe_site() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with Site(f"http://127.0.0.1:{port}", KEY, SECRET) as site:
            with pytest.raises(NotAFrappeSite, match="does not speak HTTP"):
                await site.logged_user()


async def test_a_site_that_is_not_open_says_how_to_open_it() -> None:
    site = Site("http://127.0.0.1:1", KEY, SECRET)
    with pytest.raises(RuntimeError, match="async with site"):
        await site.logged_user()


@pytest.mark.parametrize("bytes_", [9_000, 100_000])
async def test_a_long_header_is_read(bytes_: int) -> None:
    def answer(_: Seen) -> Any:
        return as_frappe(
            {"message": "hub"}, headers={"Link": "</a.js>; rel=preload," * (bytes_ // 21)}
        )

    async with stage(answer) as there, there.site() as site:
        assert await site.logged_user() == "hub"


async def test_a_header_without_end_is_named() -> None:
    def answer(_: Seen) -> Any:
        return as_frappe({"message": "hub"}, headers={"Link": "x" * 300_000})

    async with stage(answer) as there, there.site() as site:
        with pytest.raises(NotAFrappeSite, match="longer than the hub reads") as caught:
            await site.logged_user()
    assert "proxy" in caught.value.next_step


@pytest.mark.parametrize(
    ("status", "scheme"),
    [(401, 'Basic realm="intranet"'), (401, "Negotiate"), (401, ""), (407, "Basic")],
)
async def test_a_password_that_a_proxy_asks_for_is_not_the_keys(status: int, scheme: str) -> None:
    def answer(_: Seen) -> Any:
        page = page_of_html(status, "Authorization Required")
        if scheme:
            page.headers["WWW-Authenticate"] = scheme
        return page

    async with stage(answer) as there, there.site() as site:
        with pytest.raises(NotAFrappeSite, match="proxy before the site asks") as caught:
            await site.logged_user()
    assert scheme.partition(" ")[0] in str(caught.value)
    assert "Generate new keys" not in caught.value.next_step
    assert "/api" in caught.value.next_step


async def test_a_site_whose_database_is_down_is_told_by_the_last_line_of_its_traceback() -> None:
    told = (
        "Traceback (most recent call last):\n"
        '  File "apps/frappe/frappe/app.py", line 107, in application\n    validate_auth()\n'
        "ConnectionRefusedError: [Errno 111] Connection refused\n\n"
        "During handling of the above exception, another exception occurred:\n\n"
        "Traceback (most recent call last):\n"
        "pymysql.err.OperationalError: (2003, \"Can't connect to MySQL server on '127.0.0.1'\")\n"
    )

    async with (
        stage(lambda _: (503, {"exc_type": "X", "exception": told})) as here,
        here.site() as site,
    ):
        with pytest.raises(FrappeError) as raised:
            await site.list("Item")
    assert "Traceback" not in str(raised.value)
    assert "Can't connect to MySQL server" in str(raised.value)
