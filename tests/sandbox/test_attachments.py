"""Files: uploaded, attached, served to those who may read them, and gone with their document."""

import base64
from typing import Any

import aiohttp

from tests.sandbox.conftest import Client, MakeSite, doctype, field

CLERK = {"role": "Clerk", "read": 1, "write": 1, "create": 1}


async def shop(make_site: MakeSite) -> Client:
    fields = (field("frame"), field("photo", "Attach"))
    site = await make_site(doctype("Bike", *fields, autoname="field:frame", permissions=[CLERK]))
    await site.inserted("Bike", frame="A")
    return site


async def content(site: Client, path: str) -> tuple[int, str]:
    status, body = await site.get(path)
    return status, body


async def test_a_file_is_attached_and_served(make_site: MakeSite) -> None:
    site = await shop(make_site)
    given: dict[str, Any]
    given = {"doctype": "Bike", "docname": "A", "filename": "a.txt", "docfield": "photo"}
    given |= {"filedata": base64.b64encode(b"hello").decode(), "decode_base64": 1}
    status, body = await site.call("frappe.client.attach_file", **given)
    file = body["message"]
    assert (status, file["file_url"], file["file_size"]) == (200, "/files/a.txt", 5)
    assert (await site.read("Bike", "A"))["photo"] == "/files/a.txt"
    assert await content(site.as_user("nobody"), "/files/a.txt") == (200, "hello")
    said = await site.list("Comment", fields=["content"], filters={"comment_type": "Attachment"})
    assert "/files/a.txt" in said[0]["content"]
    assert (await site.delete("Bike", "A"))[0] == 202
    assert await site.list("File", filters={"is_folder": 0}) == []
    assert (await content(site, "/files/a.txt"))[0] == 404


async def test_an_upload_is_a_form_in_parts_and_a_private_file_is_its_readers(
    make_site: MakeSite,
) -> None:
    site = await shop(make_site)
    with aiohttp.MultipartWriter("form-data") as parts:
        for name, value in {"doctype": "Bike", "docname": "A", "is_private": "1"}.items():
            parts.append(value).set_content_disposition("form-data", name=name)
        part = parts.append(b"\x00secret\xff")
        part.set_content_disposition("form-data", name="file", filename="s.bin")
    headers = {"Authorization": "token clerk-k:clerk-s"}
    url = f"{site.running.url}/api/method/upload_file"
    async with aiohttp.request("POST", url, data=parts, headers=headers) as answer:
        file = (await answer.json())["message"]
    assert (file["file_url"], file["file_size"]) == ("/private/files/s.bin", 8)
    for user, status in {"clerk": 200, "hub": 200, "stranger": 403, "nobody": 403}.items():
        sent = {"Authorization": f"token {user}-k:{user}-s"} if user != "nobody" else {}
        place = f"{site.running.url}/private/files/s.bin"
        async with aiohttp.request("GET", place, headers=sent) as answer:
            assert answer.status == status, user
            if status == 200:
                assert await answer.read() == b"\x00secret\xff"
    stranger = site.as_user("stranger")
    status, _ = await stranger.ask("POST", "/api/method/upload_file", {"doctype": "Bike",
                                                                       "docname": "A"})  # fmt: skip
    assert status == 403


async def test_the_same_content_is_kept_once_and_the_same_name_gets_another(
    make_site: MakeSite,
) -> None:
    site = await shop(make_site)
    made = [
        (await site.inserted("File", file_name="a.txt", content=text))["file_url"]
        for text in ("one", "one", "two")
    ]
    assert made[0] == made[1] == "/files/a.txt"
    assert made[2].startswith("/files/a") and made[2] != made[0]
    status, body = await site.insert("File", content="x")
    assert (status, body["exc_type"]) == (417, "MandatoryError")
    assert (await site.insert("File", file_url="nowhere"))[0] == 417
    assert (await site.insert("File", file_url="https://a.example/b.png"))[0] == 200
