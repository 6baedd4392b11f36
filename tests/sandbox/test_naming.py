from itertools import islice

from bascule.sandbox.core.loading import unique_names
from tests.sandbox.conftest import MakeSite, doctype, field, messages

STAMPS = {"creation": "2026-01-01 10:00:00", "modified": "2026-01-01 10:00:00.000001"}


async def test_a_document_is_named_after_its_field(make_site: MakeSite) -> None:
    site = await make_site(doctype("Bike", field("frame"), autoname="field:frame"))
    assert (await site.inserted("Bike", frame=" Gracht "))["name"] == "Gracht"
    status, body = await site.insert("Bike", frame="")
    assert (status, messages(body)) == (417, ["Frame is required"])


async def test_a_series_goes_on_behind_the_documents_that_are_there(make_site: MakeSite) -> None:
    series = field("naming_series", "Select", "BIKE-.####\nTRIKE-.##")
    bikes = [{"doctype": "Bike", "name": f"BIKE-{n:04}", **STAMPS} for n in (1, 2, 7)]
    site = await make_site(
        doctype("Bike", series, autoname="naming_series:"), documents={"Bike": bikes}
    )
    names = [(await site.inserted("Bike"))["name"] for _ in range(2)]
    names.append((await site.inserted("Bike", naming_series="TRIKE-.##"))["name"])
    assert names == ["BIKE-0008", "BIKE-0009", "TRIKE-01"]


async def test_the_last_of_a_series_gives_its_number_back(make_site: MakeSite) -> None:
    series = field("naming_series", "Select", "BIKE-.####")
    site = await make_site(doctype("Bike", series, autoname="naming_series:"))
    await site.inserted("Bike")
    last = (await site.inserted("Bike"))["name"]
    assert (await site.delete("Bike", last))[0] == 202
    assert (await site.inserted("Bike"))["name"] == last


async def test_a_refused_document_takes_no_number(make_site: MakeSite) -> None:
    fields = (field("naming_series", "Select", "BIKE-.####"), field("frame", reqd=1))
    site = await make_site(doctype("Bike", *fields, autoname="naming_series:"))
    assert (await site.insert("Bike"))[0] == 417
    assert (await site.inserted("Bike", frame="x"))["name"] == "BIKE-0001"


async def test_a_format_takes_fields_and_dates_and_a_number(make_site: MakeSite) -> None:
    rule = "format:B-{frame}-{YYYY}-{###}"
    site = await make_site(doctype("Bike", field("frame"), autoname=rule))
    first, second = [await site.inserted("Bike", frame="L") for _ in range(2)]
    assert first["name"] == f"B-L-{first['creation'][:4]}-001"
    assert second["name"].endswith("-002")


async def test_without_a_rule_a_name_is_ten_random_characters(make_site: MakeSite) -> None:
    site = await make_site(doctype("Bike", field("frame")))
    names = {(await site.inserted("Bike", name="mine"))["name"] for _ in range(20)}
    assert len(names) == 20
    assert all(len(name) == 10 and name.isalnum() for name in names)


async def test_a_prompted_name_has_to_be_given(make_site: MakeSite) -> None:
    site = await make_site(doctype("Bike", field("frame"), autoname="Prompt"))
    assert (await site.inserted("Bike", name="Mine"))["name"] == "Mine"
    status, body = await site.insert("Bike")
    assert (status, messages(body)) == (417, ["Please set the document name"])


async def test_names_that_differ_in_case_and_accents_alone_are_one(make_site: MakeSite) -> None:
    site = await make_site(doctype("Bike", field("frame"), autoname="field:frame"))
    await site.inserted("Bike", frame="Café")
    status, body = await site.insert("Bike", frame="CAFE")
    assert (status, body["exc_type"]) == (409, "DuplicateEntryError")


async def test_an_amended_document_has_the_old_name_and_a_number(make_site: MakeSite) -> None:
    amended = field("amended_from", "Link", "Bike")
    site = await make_site(
        doctype("Bike", field("frame"), amended, autoname="field:frame", is_submittable=1)
    )
    await site.inserted("Bike", frame="A", docstatus=1)
    await site.update("Bike", "A", docstatus=2)
    first = await site.inserted("Bike", frame="A", amended_from="A", docstatus=1)
    await site.update("Bike", first["name"], docstatus=2)
    second = await site.inserted("Bike", frame="A", amended_from=first["name"])
    assert (first["name"], second["name"]) == ("A-1", "A-2")


async def test_a_supplier_is_named_once_and_a_customer_again_with_a_number(
    make_site: MakeSite,
) -> None:
    site = (await make_site()).as_user("admin")
    suppliers = [await site.insert("Supplier", supplier_name="Rims") for _ in range(2)]
    customers = [await site.insert("Customer", customer_name="Ann") for _ in range(3)]
    assert [status for status, _ in suppliers] == [200, 409]
    assert [body["data"]["name"] for _, body in customers] == ["Ann", "Ann - 1", "Ann - 2"]


def test_of_many_random_names_for_one_site_none_comes_twice() -> None:
    names = list(islice(unique_names(), 300_000))
    assert len(set(names)) == len(names)


async def test_a_name_longer_than_its_column_is_an_error_of_the_database(
    make_site: MakeSite,
) -> None:
    """Fields are measured before; a name that is put together of them is not."""
    site = await make_site(doctype("Bike", field("frame"), autoname="format:{frame}-{frame}"))
    assert (await site.inserted("Bike", frame="B" * 69))["name"] == f"{'B' * 69}-{'B' * 69}"
    status, body = await site.insert("Bike", frame="B" * 70)
    assert (status, body["exc_type"]) == (500, "DataError")
    assert "Data too long for column 'name' at row 1" in body["exception"]
