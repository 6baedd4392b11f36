"""A sync of more streams than a terminal has lines: what is drawn, and what is told of it."""

import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from tests.kit.command import Bascule, change, way_in

MORE = (
    "Account",
    "Company",
    "Cost Center",
    "Currency",
    "Fiscal Year",
    "Item Group",
    "Payment Term",
    "Price List",
    "Project",
    "Territory",
    "UOM",
    "Customer Group",
    "Supplier Group",
    "BOM",
)
FEW = 16


def on_a_terminal(bascule: Bascule, *arguments: str) -> str:
    """All that the command wrote on a terminal of 160 columns and 24 lines."""
    ours, theirs = pty.openpty()
    written: list[bytes] = []

    def read() -> None:
        try:
            while some := os.read(ours, 65_536):
                written.append(some)
        except OSError:  # nobody has the other end any more
            return

    reading = threading.Thread(target=read)
    reading.start()
    environment = {**bascule.environment, "TERM": "xterm", "LINES": "24"}
    command = [sys.executable, "-m", "bascule", *arguments]
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            timeout=120,
            check=False,
        )
    finally:
        os.close(theirs)
        reading.join()
        os.close(ours)
    said = b"".join(written).decode()
    assert done.returncode == 0, said
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said)


def test_of_many_streams_only_those_are_drawn_and_told_in_which_something_happens(
    make_bascule: Callable[..., Bascule], site: Any
) -> None:
    bascule = make_bascule()
    assert bascule("connect", "--slug", "many", "--no-sync", "-q", **way_in(site)).code == 0
    assert bascule("streams", "add", *MORE).code == 0
    names = [one["doctype"] for one in bascule("streams", "--json").json["many"]]
    assert len(names) > FEW

    said = on_a_terminal(bascule, "sync")
    assert f"{len(names)} streams" in said
    for name in names:
        assert name in said.rpartition(f"{len(names)} streams")[2], name  # each read something
    bascule("sync", "--quiet")  # which keeps the definitions

    quiet = on_a_terminal(bascule, "sync")
    assert f"Nothing changed in {len(names)} streams." in quiet
    assert not [name for name in names if name in quiet]
    lines = bascule("sync")
    assert lines.out.strip() == f"✓ Nothing changed in {len(names)} streams."
    assert lines.err.count("\n") == 1, lines.err

    change(site, "POST", "Territory", {"territory_name": "Veluwe"})
    assert bascule("streams", "off", "UOM").code == 0
    told = bascule("sync")
    assert "Territory" in told.out
    assert f"Nothing changed in {len(names) - 2} streams." in told.out
    assert len(bascule("sync", "--json").json["runs"]) == len(names) - 1


def test_what_all_streams_fail_of_is_told_once(
    make_bascule: Callable[..., Bascule], site: Any
) -> None:
    bascule = make_bascule()
    assert bascule("connect", "--slug", "many", "-q", **way_in(site)).code == 0
    names = [one["doctype"] for one in bascule("streams", "--json").json["many"]]
    rule = site.faults.add("revoked", path="/api")
    said = bascule("sync")
    site.faults.clear(rule)
    assert said.code == 1
    [cause] = [line for line in said.out.splitlines() if line.startswith("✗ Item")]
    assert cause.startswith(f"✗ {', '.join(names[:2])}")
    assert all(name in cause for name in names)
    assert said.out.count("→") == 1
    why = cause.partition(": ")[2]
    assert why in said.err
    assert said.err.count(why) == 1
    assert said.err.count("as told above") == len(names) - 1
