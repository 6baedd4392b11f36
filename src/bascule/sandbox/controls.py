"""What happens to a site past its REST API: a job, another app's SQL, a restore.

`POST /sandbox/jobs` runs what the site's scheduler would, `POST /sandbox/sql` what another app
writes past all documents, `POST /sandbox/moments` keeps the site's state and restores it.
`/app/customer/NAME` shows a document. These routes are the sandbox's own and take no credentials.
"""

import json
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from aiohttp import web

from bascule.sandbox.core.access.sessions import csrf_token, sid_of
from bascule.sandbox.core.http.pages import NOT_THERE, desk_page, page_of
from bascule.sandbox.core.jobs import JOBS
from bascule.sandbox.core.versions import SIXTEEN

if TYPE_CHECKING:
    from bascule.sandbox.core.moments import Moment
    from bascule.sandbox.core.site import Site

_Values = dict[str, Any]


class Controls:
    def __init__(self, site: "Site") -> None:
        self._site = site
        self._moments: dict[str, Moment] = {}
        self._desk = "desk" if site.schema.major >= SIXTEEN else "app"

    def routes(self) -> list[web.RouteDef]:
        return [
            # Where links lead that open a document in ERPNext; 16 sends on to there.
            web.get(f"/{self._desk}", self._show_desk),
            web.get(f"/{self._desk}/home", self._show_desk),
            web.get(f"/{self._desk}/{{doctype}}/{{name:.+}}", self._document),
            web.get("/sandbox/jobs", self._show),
            web.post("/sandbox/jobs", self._answering(self._run_job)),
            web.post("/sandbox/sql", self._answering(self._run_sql)),
            web.post("/sandbox/moments", self._answering(self._moment)),
        ]

    async def _show_desk(self, request: web.Request) -> web.Response:
        """An empty page with the CSRF token of the reader's session; guests are sent to sign in."""
        token = self._csrf_token(request)
        if not token:
            away = {"Location": f"/login?{urlencode({'redirect-to': request.path})}"}
            return web.Response(status=301, headers=away)
        return web.Response(text=desk_page(token), content_type="text/html")

    def _csrf_token(self, request: web.Request) -> str:
        sid = sid_of(request.headers.get("Cookie", ""))
        session = self._site.sessions.find(sid) if sid else None
        return csrf_token(session) if session else ""

    async def _document(self, request: web.Request) -> web.Response:
        """A document as it is, for a person who looks: the sandbox has no desk."""
        asked = request.match_info
        token = self._csrf_token(request)
        page = page_of(self._site, asked["doctype"], asked["name"], token)
        status = 200 if page else 404
        return web.Response(text=page or NOT_THERE, status=status, content_type="text/html")

    async def _show(self, request: web.Request) -> web.Response:
        return web.json_response({"jobs": sorted(JOBS)})

    def _answering(self, act: Callable[[_Values], _Values]) -> Callable[[web.Request], Any]:
        async def answer(request: web.Request) -> web.Response:
            try:
                values = json.loads(await request.text())
                told = act(values if isinstance(values, dict) else {})
            except (ValueError, sqlite3.Error) as error:
                return web.json_response({"error": str(error)}, status=400)
            return web.json_response(told)

        return answer

    def _run_job(self, values: _Values) -> _Values:
        job = JOBS.get(str(values.get("job")))
        if job is None:
            raise ValueError(
                f"No job is called {values.get('job')!r}: GET /sandbox/jobs lists them."
            )
        with self._site.transaction():
            job(self._site)
        return {"job": values["job"]}

    def _run_sql(self, values: _Values) -> _Values:
        """One statement with `?` for each of `values`; `changed` is the number of rows."""
        with self._site.transaction():
            done = self._site.tables.run(str(values.get("sql")), values.get("values") or ())
        return {"changed": done.rowcount}

    def _moment(self, values: _Values) -> _Values:
        """`{"keep": NAME}` keeps the site as it is, `{"restore": NAME}` makes it so again."""
        if "keep" in values:
            name = str(values["keep"])
            self._moments[name] = self._site.keep()
            return {"kept": name}
        name = str(values.get("restore"))
        if name not in self._moments:
            raise ValueError(f"No moment is called {name!r}: keep it first.")
        self._site.restore(self._moments[name])
        return {"restored": name}
