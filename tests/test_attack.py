"""The table of attacks holds all that are kept as tests, and the page tells of each."""

from pathlib import Path

from tests.attack import ATTACKS, BEGINS, ENDS, PAGE, titles, written

TESTS = Path(__file__).parent


def test_every_attack_that_is_kept_is_in_the_table() -> None:
    named = {place.partition("::")[0] for places in ATTACKS.values() for place in places}
    kept = {f"security/{path.name}" for path in (TESTS / "security").glob("test_*.py")}
    assert kept <= named
    for place in (place for places in ATTACKS.values() for place in places):
        file, _, test = place.partition("::")
        assert (TESTS / file).is_file(), place
        assert f"def {test}(" in (TESTS / file).read_text() if test else True, place


def test_the_page_has_the_table_with_nothing_that_got_through() -> None:
    assert titles(PAGE.read_text()) == list(ATTACKS)


def test_only_the_table_is_written_anew() -> None:
    page = f"before\n{BEGINS}old\n{ENDS}after\n"
    assert written(page, "new\n") == f"before\n{BEGINS}\nnew\n\n{ENDS}after\n"
