"""Which tests are run: a room's alone (`--room inbox`), and by marker those that are quick.

A room's tests lie in the folder of its name; a test of the whole hub may name rooms of its own with
`@pytest.mark.room("inbox")`, and runs with theirs.
"""

from pathlib import Path

import pytest

from tests.kit import ROOT

TESTS = ROOT / "tests"

# Marker -> the fixtures that whose tests use have it.
BY_FIXTURE = {
    "browser": {"browser"},
    "kills": {"kills"},
    "processes": {"processes"},
}


def rooms() -> list[str]:
    """Those of the product."""
    folders = (ROOT / "src" / "bascule").glob("*/__init__.py")
    return sorted(folder.parent.name for folder in folders)


def known(room: str) -> str:
    if room not in rooms():
        raise pytest.UsageError(f"there is no room {room!r}; there are: {', '.join(rooms())}")
    return room


def is_of_another(path: Path, room: str) -> bool:
    """A folder of tests of another room, in which nothing need be collected."""
    return path.parent == TESTS and path.name in rooms() and path.name != room


def is_of(item: pytest.Item, room: str) -> bool:
    if room in item.path.relative_to(TESTS).parts[:1]:
        return True
    return any(room in marker.args for marker in item.iter_markers("room"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--room", help="only the tests of this room of src/bascule")


def pytest_configure(config: pytest.Config) -> None:
    if room := config.getoption("room"):
        known(room)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    room = config.getoption("room")
    return True if room and is_of_another(collection_path, room) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        for marker, fixtures in BY_FIXTURE.items():
            if fixtures & set(getattr(item, "fixturenames", ())):
                item.add_marker(marker)
    room = config.getoption("room")
    if room:
        others = [item for item in items if not is_of(item, room)]
        items[:] = [item for item in items if is_of(item, room)]
        config.hook.pytest_deselected(items=others)
