"""How one signs in to a demo: with what it makes up, with what somebody chose, or by a link."""

from dataclasses import replace
from pathlib import Path

from bascule.accounts.passwords import is_password
from bascule.accounts.people import users
from bascule.accounts.sign_in.password_sign_in import welcome
from bascule.cli.demo.admin import the_admin
from bascule.cli.demo.site import Memory
from bascule.hub import Hub

URL = "http://127.0.0.1:8003"


async def opens(hub: Hub, name: str, password: str) -> bool:
    async with hub.db.session() as session:
        return await is_password(password, (await users.find_person(session, name)).password_hash)


async def test_a_password_is_made_up_once_and_remembered(hub: Hub, tmp_path: Path) -> None:
    first = await the_admin(hub, URL, Memory.of(tmp_path), tmp_path)
    assert first.password is not None
    assert first.in_words == f"as admin, password {first.password}"
    second = await the_admin(hub, URL, Memory.of(tmp_path), tmp_path)
    assert second.password == first.password
    assert await opens(hub, first.username, first.password)


async def test_what_somebody_chose_stays_and_is_not_told(hub: Hub, tmp_path: Path) -> None:
    made = await the_admin(hub, URL, Memory.of(tmp_path), tmp_path)
    async with hub.db.session() as session:
        _, link = await users.reset(session, made.username)
    await welcome(hub, link, "four words that rhyme")
    again = await the_admin(hub, URL, Memory.of(tmp_path), tmp_path)
    assert (again.password, again.welcome) == (None, None)
    assert await opens(hub, made.username, "four words that rhyme")


async def test_where_others_reach_it_no_password_is_made_up(hub: Hub, tmp_path: Path) -> None:
    outside = replace(hub, settings=hub.settings.model_copy(update={"host": "0.0.0.0"}))
    admin = await the_admin(outside, "http://0.0.0.0:8003", Memory.of(tmp_path), tmp_path)
    assert admin.password is None
    assert admin.welcome is not None
    assert admin.welcome.startswith("http://localhost:8003/welcome/")
    user = await welcome(hub, admin.welcome.rpartition("/")[2], "four words that rhyme")
    assert user.username == "admin"
