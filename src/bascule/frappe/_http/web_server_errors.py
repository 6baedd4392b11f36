"""From an answer that Frappe did not write for a client to the error that it amounts to.

A web server, a proxy, a firewall or a sign-in page wrote it; its text is not shown to anybody.
"""

from typing import Any
from urllib.parse import SplitResult, urlsplit

from bascule.frappe._http.models import Operation, Response
from bascule.frappe.errors import (
    FrappeError,
    Invalid,
    NotAFrappeSite,
    RateLimited,
    SiteDown,
    WrongCredentials,
)

FRAPPES_PAGE = b"Built on Frappe"
UNKNOWN_KEY = "The site does not know this API key with this secret."
NEW_KEYS = (
    "Generate new keys for the user in ERPNext (User, Settings, API Access) and give Bascule both "
    "the API key and the API secret."
)
MANY_REQUESTS = "The site got more requests than it allows."
FEWER_REQUESTS = "Wait a little, then try again with fewer requests at a time."
LATER = "Try again in a few minutes; if it stays, look at the site itself and its logs."


def web_server_error(response: Response, operation: Operation, site: str) -> FrappeError:
    """The error of an answer that is no JSON object: Frappe did not write it for a client."""
    status = response.status
    about: dict[str, Any] = {"doctype": operation.doctype, "status": status}
    if 300 <= status < 400:
        return _redirected(response, site, about)
    if status in (401, 407):
        return _another_password(response, about)
    if status == 429:
        return RateLimited(
            MANY_REQUESTS, next_step=FEWER_REQUESTS, retry_after=response.retry_after, **about
        )
    if status >= 500:
        return SiteDown(
            f"The site is down or overloaded: its web server answered {status}.",
            next_step=LATER,
            retry_after=response.retry_after,
            **about,
        )
    if status in (400, 413, 414, 431):
        return Invalid(
            f"The site's web server refused the request with status {status}: it is too large "
            "for it, or malformed.",
            next_step="Send less at once; what a URL cannot hold goes by POST.",
            **about,
        )
    return NotAFrappeSite(
        f"What answers at this address answered {status}, and not as a Frappe site does.",
        next_step="Check the site's address; a firewall or proxy before it must let /api through.",
        **about,
    )


def _another_password(response: Response, about: dict[str, Any]) -> FrappeError:
    """Frappe says in JSON, or by a page of its own, that it does not know a key. Another page, or a
    scheme that is not Frappe's (RFC 9110, 11.6.1), is of something that stands before it.
    """
    scheme = response.headers.get("WWW-Authenticate", "").partition(" ")[0].rstrip(",")
    frappes = response.is_json or FRAPPES_PAGE in response.body[:2_000]
    if response.status == 401 and frappes and scheme.lower() in ("", "bearer"):
        return WrongCredentials(UNKNOWN_KEY, next_step=NEW_KEYS, **about)
    asks = f" ({scheme})" if scheme else ""
    return NotAFrappeSite(
        f"A proxy before the site asks for a sign-in of its own{asks}; ERPNext has not seen the "
        "key.",
        next_step="Let the proxy pass /api on without it (ERPNext asks for the key itself), or "
        "give an address of the site that does not lead through the proxy. The key is not at "
        "fault.",
        **about,
    )


def _redirected(response: Response, site: str, about: dict[str, Any]) -> FrappeError:
    """Only an address that is the same site is proposed: there the secret is typed in next."""
    to = response.headers.get("Location", "").partition("?")[0].partition("#")[0]
    there, here = urlsplit(to if "@" not in to else ""), urlsplit(site)
    address = f"{there.scheme}://{there.netloc}" if there.netloc else ""
    is_api = there.path.startswith(("/api/method/", "/api/resource/", "/api/v2/"))
    if not there.netloc or (_host(there) == _host(here) and not is_api):
        step = "Check the site's address: it leads to a page for people, perhaps a login."
    elif _host(there) == _host(here):
        step = f"Use {address} as the site's address."
    elif is_api:
        step = f"Use {address} as the site's address only if you know it as your ERPNext's."
    else:
        step = (
            "That is another host, such as one for single sign-on: do not give it the key. Let "
            "the proxy before the site pass /api on without a sign-in; ERPNext asks for the key."
        )
    return NotAFrappeSite(
        f"The address redirects{f' to {address}' if address else ''}, and credentials are not "
        "sent on to where a redirect leads.",
        next_step=step,
        **about,
    )


def _host(url: SplitResult) -> str:
    return (url.hostname or "").removeprefix("www.")
