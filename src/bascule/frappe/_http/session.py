"""A session with one site: how many requests at once, which are sent again, what a refusal means.

Knows no DocTypes. The `Transport` below it sends; what a response says is the callers' business.
"""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

from bascule.backoff import Backoff
from bascule.frappe import executed_sql
from bascule.frappe._http.body import MAX_DOCUMENT, MAX_METHOD, MAX_REFUSAL
from bascule.frappe._http.error_mapping import error_of_refusal
from bascule.frappe._http.limiter import LONGEST_PAUSE, Limiter
from bascule.frappe._http.models import Method, Operation, Request, Response
from bascule.frappe._http.outstanding import OUTSTANDING, OutstandingAnswers
from bascule.frappe._http.transport import Transport
from bascule.frappe.errors import (
    FrappeError,
    RateLimited,
    SiteDown,
    Timeout,
    TooLarge,
    Unavailable,
)
from bascule.frappe.request_observer import OBSERVER

ATTEMPTS = 5
RETRY = Backoff(0.2, jitter=0.5)  # a pause that the site asks for is waited in the limiter

T = TypeVar("T")


class Session:
    """Sends reads until one is answered, and each write once."""

    def __init__(self, url: str, transport: Transport, *, max_concurrency: int) -> None:
        self.url = url
        self.limiter = Limiter(max_concurrency)
        self.answered_at = time.monotonic()  # the last answer to anybody, refusals included
        self.understood_at = float("-inf")  # the last answer that Frappe gave to what was asked
        self._transport = transport

    async def __aenter__(self) -> Self:
        await self._transport.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._transport.close()

    async def bare(self, method: Method, path: str) -> Response:
        """The response as it came, whatever its status; sent once."""
        request = Request(method, path, f"{method} {path}", max_bytes=MAX_REFUSAL)
        outcome = await self._exchange(request)
        if isinstance(outcome, FrappeError):
            raise outcome
        return outcome

    async def read(
        self,
        method: Method,
        path: str,
        operation: Operation,
        take: Callable[[Response], T],
        *,
        json: Any = None,
        timeouts: bool = True,
        work: bool = False,
        most: int = MAX_METHOD,
    ) -> T:
        """What `take` makes of the response to a request that changes nothing.

        It is sent again when the site was not available, or when `take` finds that the response
        broke off. `timeouts` False: not after a timeout. `work`: its pace tells how crowded the
        site is. TooLarge for a response of more than `most` bytes.
        """
        retrying = AsyncRetrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=lambda state: RETRY.pause(state.attempt_number - 1),
            retry=retry_if_exception(lambda error: _worth_repeating(error, timeouts=timeouts)),
            reraise=True,
        )
        body = None if json is None else encode(executed_sql.with_debug(path, json))
        request = Request(method, path, str(operation), body, max_bytes=most)

        async def once() -> T:
            response = await self._once(request, operation, work=work)
            taken = take(response)
            self.understood_at = time.monotonic()
            executed_sql.tell_statements(path, response)
            return taken

        return await retrying(once)

    async def write(
        self, method: Method, path: str, operation: Operation, *, json: Any = None
    ) -> Response:
        """Sent once, whatever happens: a create that is sent twice makes two documents. SiteDown
        for a response that is too large: the write may have been carried out.
        """
        body = None if json is None else encode(json)
        request = Request(method, path, str(operation), body, reads=False, max_bytes=MAX_DOCUMENT)
        return await self._once(request, operation)

    async def _once(
        self, request: Request, operation: Operation, *, work: bool = False
    ) -> Response:
        outstanding = OUTSTANDING.get() or OutstandingAnswers()
        with outstanding.requested():
            async with self.limiter.place():
                with outstanding.sent():
                    outcome = await self._exchange(request)
                    if isinstance(outcome, Response) and not _is_proxys_word(outcome.status):
                        self.answered_at = time.monotonic()
                        outstanding.answered(page=work)
                outcome = self._judged(outcome, request, operation, work=work)
        if isinstance(outcome, FrappeError):
            raise outcome
        return outcome

    def _judged(
        self, outcome: Response | FrappeError, request: Request, operation: Operation, *, work: bool
    ) -> Response | FrappeError:
        """The outcome with a refusal turned into its error. The limiter learns from it."""
        if not request.reads and isinstance(outcome, TooLarge):
            outcome = SiteDown(str(outcome), next_step=outcome.next_step)
        if isinstance(outcome, Response) and outcome.status >= 300:
            self.limiter.heed(outcome.headers)
            outcome = error_of_refusal(outcome, operation, self.url)
        if isinstance(outcome, Unavailable):
            self.limiter.struggled(outcome.retry_after)
        elif isinstance(outcome, Response):
            if work:
                # The constant stands for what a request costs however small its response is.
                cost = outcome.seconds / (len(outcome.body) + 1e5)
                self.limiter.went_well(str(operation), cost)
            self.limiter.heed(outcome.headers)
        return outcome

    async def _exchange(self, request: Request) -> Response | FrappeError:
        with OBSERVER.get()(request.method, request.path.partition("?")[0]) as observed:
            try:
                outcome: Response | FrappeError = await self._transport.send(request)
            except FrappeError as error:
                outcome = error
            observed(outcome)
            return outcome


# Decimals as numbers, digit by digit: as text a site would compare them as text.
encode = msgspec.json.Encoder(decimal_format="number").encode


def _is_proxys_word(status: int) -> bool:
    """Whether the status may come from a proxy, or from a site that is overloaded or broken."""
    return status == 429 or status >= 500


def _worth_repeating(error: BaseException, *, timeouts: bool) -> bool:
    if isinstance(error, Timeout):
        return timeouts
    if isinstance(error, RateLimited | SiteDown) and (error.retry_after or 0) > LONGEST_PAUSE:
        return False
    return isinstance(error, Unavailable)
