"""A room's tests are found by its name."""

from pathlib import Path

import pytest

from tests.kit import lanes


def test_room_has_tests_in_folder_of_its_name() -> None:
    without = [room for room in lanes.rooms() if not any((lanes.TESTS / room).rglob("test_*.py"))]
    assert not without


def test_unknown_room_says_which_there_are() -> None:
    with pytest.raises(pytest.UsageError, match=r"no room 'kitchen'; there are: .*inbox"):
        lanes.known("kitchen")


def test_room_named_by_marker_is_room_of_product(request: pytest.FixtureRequest) -> None:
    named = {
        room
        for item in request.session.items
        for marker in item.iter_markers("room")
        for room in marker.args
    }
    assert named <= set(lanes.rooms())


def test_folder_of_another_room_is_not_collected() -> None:
    assert lanes.is_of_another(lanes.TESTS / "jobs", "inbox")
    assert not lanes.is_of_another(lanes.TESTS / "inbox", "inbox")
    assert not lanes.is_of_another(lanes.TESTS / "security", "inbox")
    assert not lanes.is_of_another(Path(lanes.TESTS, "security", "jobs"), "inbox")
