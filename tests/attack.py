"""`make attack`: every attack that is kept as a test, against fresh hubs, as a table.

A case is one test; many of them try dozens of things. `--write` keeps the table in the docs.
"""

import re
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "security.md"
BEGINS, ENDS = "<!-- the table: make attack -->\n", "<!-- its end -->\n"

# What is tried, and where: files and tests below tests/.
ATTACKS: dict[str, tuple[str, ...]] = {
    "Send a stored secret to another address": ("security/test_carried_out_secrets.py",),
    "Answer with gigabytes, packed or not, or with more rows than asked": (
        "security/test_bounds_of_answers.py",
        "security/test_bounds_of_rows.py",
    ),
    "Hang, or answer a byte at a time": ("security/test_hanging_sites.py",),
    "Download and never read": ("security/test_unread_downloads.py",),
    "Connect and say nothing, or little": ("security/test_silent_sockets.py",),
    "Forge what a proxy says": ("security/test_behind_a_proxy.py",),
    "Run programs, read files or write by SQL": ("security/test_what_sql_may_do.py",),
    "Keep others' webhooks from being kept": ("security/test_others_deliveries.py",),
    "Make a stolen token permanent or powerful": ("security/test_machines_and_powers.py",),
    "Turn a shared connection elsewhere, as an editor": ("security/test_editors_and_shared.py",),
    "Keep somebody out by guessing": ("security/test_locked_out.py",),
    "Go on reading after being deactivated": ("security/test_left_behind.py",),
    "Fill the disk with rows that never end": (
        "security/test_lists_without_end.py",
        "mirror/test_room.py",
    ),
    "Come in by a common password, or with the password alone": (
        "security/test_common_passwords.py",
        "security/test_second_factor.py",
    ),
    "Come in by a forged ID token, or take an account over by its address": (
        "security/test_sign_in_by_a_provider.py",
    ),
    "Steal, replay or mix up what a sign-in provider answers": (
        "security/test_answers_of_a_provider.py",
    ),
    "Get round the second factor, or an admin, by a sign-in provider": (
        "security/test_factors_at_a_provider.py",
    ),
    "Come in by a passkey that was lured, copied or made up": ("security/test_passkeys.py",),
    "Guess the secret key from a token, or by its weakness": (
        "security/test_keys_and_tokens.py",
        "accounts/test_weak_key.py",
    ),
    "Read services of the hub's own network": ("accounts/test_ssrf.py",),
    "Read the hub's files as another user of the machine": (
        "security/test_what_sql_may_do.py::test_files_in_the_data_folder_are_the_hubs_alone",
        "cli/test_verbs.py::test_a_doctor_finds_a_key_that_others_can_read",
    ),
    "Move a cursor, forge a line of the log, be a formula": (
        "security/test_what_terminals_obey.py",
    ),
    "Do or see what one's role may not": (
        "accounts/test_roles.py",
        "accounts/test_private.py",
        "api/test_access.py",
    ),
    "Make access and refresh tokens up, or keep them": (
        "accounts/test_tokens.py",
        "accounts/test_signing_in.py",
        "accounts/test_same_work.py",
    ),
    "Break the API with what it does not expect": (
        "api/test_hostile.py",
        "openapi/test_every_role.py",
    ),
    "Run a script in somebody's page": (
        "accounts/test_headers.py",
        "accounts/pages/test_audit_page.py::test_whatever_was_written_is_only_text",
        "data/pages/test_document_page.py"
        "::test_a_hostile_name_is_quoted_here_and_there_and_never_markup",
    ),
    "Have somebody's browser do it": ("accounts/test_browser.py",),
    "Lose secrets while the key is changed and everything is killed": ("accounts/test_key.py",),
    "Find secrets in logs, dumps, processes and answers": ("accounts/test_leaks.py",),
}


class Counted:
    """A pytest plugin: of each test file or test, how many cases ran and how many got through."""

    def __init__(self) -> None:
        self.tried: Counter[str] = Counter()
        self.through: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and not report.skipped:
            self.tried[report.nodeid] += 1
        if report.failed:
            self.through[report.nodeid] = 1

    def of(self, places: tuple[str, ...], counts: Counter[str]) -> int:
        begun = tuple(f"tests/{place}" for place in places)
        return sum(count for nodeid, count in counts.items() if nodeid.startswith(begun))


def table(counted: Counted) -> str:
    lines = ["| attack | tried | got through |", "|---|---:|---:|"]
    lines += [
        f"| {title} | {counted.of(places, counted.tried)} | {counted.of(places, counted.through)} |"
        for title, places in ATTACKS.items()
    ]
    return "\n".join(lines) + "\n"


def written(page: str, made: str) -> str:
    before, _, rest = page.partition(BEGINS)
    return f"{before}{BEGINS}\n{made}\n{ENDS}{rest.partition(ENDS)[2]}"


def titles(page: str) -> list[str]:
    """Of the attacks in a page's table."""
    kept = page.partition(BEGINS)[2].partition(ENDS)[0]
    return re.findall(r"^\| (.+?) \| \d+ \| 0 \|$", kept, re.MULTILINE)


def main() -> int:
    counted = Counted()
    places = [str(ROOT / "tests" / place) for places in ATTACKS.values() for place in places]
    code = pytest.main(["-q", "-n", "2", "--dist", "worksteal", *places], plugins=[counted])
    made = table(counted)
    print(made)
    if code == 0 and "--write" in sys.argv:
        PAGE.write_text(written(PAGE.read_text(), made))
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
