"""What was said after a form travels in a cookie, which holds four kilobytes."""

import pytest
from fastapi import Request

from bascule.ui.flash import COOKIE, back_to, take


@pytest.mark.parametrize(
    "said",
    [
        "The site did not let the hub in: " + "لا تملك صلاحية كافية للوصول. " * 100,
        'He said "no".\n' * 400,
        "short",
    ],
)
def test_a_long_reason_in_any_script_arrives_as_far_as_a_cookie_holds_it(said: str) -> None:
    response = back_to("/", said, kind="failed", next_step="اطلب صلاحية. " * 300)
    cookie = response.headers["set-cookie"]
    assert len(cookie) < 4096
    value = cookie.partition(f"{COOKIE}=")[2].partition(";")[0].strip('"')
    scope = {"type": "http", "headers": [(b"cookie", f"{COOKIE}={value}".encode())]}
    note = take(Request(scope))
    assert note is not None
    assert note["kind"] == "failed"
    assert said.startswith(note["said"].removesuffix("…"))
    assert note["said"] == said or len(note["said"].encode()) > 1000
    assert note["next_step"].startswith("اطلب صلاحية.")
