"""Passwords that attackers try first, and those made of what everybody knows here."""

from collections.abc import Callable

import pytest

from bascule.accounts.passwords import check_rules
from bascule.errors import Invalid
from tests.kit.visitors import Somebody, Visitor

COMMON = [
    "password123",
    "Password1234",
    "P@ssw0rd123",
    "1234567890",
    "0987654321",
    "qwertyuiop",
    "qwertyuiop1",
    "1q2w3e4r5t",
    "iloveyou123",
    "Welcome123!",
    "welcome2026",
    "admin12345",
    "administrator",
    "letmein2024",
    "Summer2026!",
    "football123",
    "sunshine123",
    "changeme123",
]
HERE = [
    "Bascule2026!",
    "bascule123456",
    "ERPNext2026!",
    "frappe-frappe",
    "AcmeTrading1",
    "acme.trading2026",
    "hub.example.com",
]
GOOD = [
    "four words that rhyme",
    "correct horse battery staple",
    "k3$Vq9z!pL",
    "zwölf Boxkämpfer jagen Viktor",
    "not this one either",
]
CONTEXT = ["bascule", "erpnext", "frappe", "hub.example.com", "Acme Trading"]


@pytest.mark.parametrize("password", [*COMMON, *HERE])
def test_a_password_that_is_tried_first_is_refused(password: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_rules(password, "anna", "anna.visser@example.com", context=CONTEXT)
    assert refused.value.fields["password"]
    assert password not in str(refused.value)


@pytest.mark.parametrize(
    "password",
    ["anna-visser1", "VisserAnna26", "anna.visser@example.com", "ressivanna1", "annaanna12"],
)
def test_a_password_of_ones_own_names_is_refused(password: str) -> None:
    with pytest.raises(Invalid):
        check_rules(password, "anna", "anna.visser@example.com", context=CONTEXT)


@pytest.mark.parametrize("password", GOOD)
def test_a_good_password_is_taken(password: str) -> None:
    check_rules(password, "anna", "anna.visser@example.com", context=CONTEXT)


def test_the_pages_and_the_api_refuse_it_with_the_reason(
    make_person: Callable[..., Somebody], browse: Callable[..., Visitor]
) -> None:
    anna = make_person()
    for new in ("Password1234", "Bascule2026!", f"{anna.username}1"):
        body = {"old_password": anna.password, "new_password": new}
        refused = anna.visit().post("/api/auth/password", body)
        assert refused.status == 422 and "password" in refused.json["fields"], (new, refused)
        form = {**body, "again": new}
        page = browse(anna).ask("POST", "/settings/password", form=form)
        assert page.status == 422 and b"cannot be taken" in page.body
    assert anna.try_login().status == 200
