"""What the journal's rows say, in words for people; a route's own name where there are none."""

import json
from dataclasses import dataclass
from typing import Any

from bascule.audit.tables import Audit


def _of_records(one: str, many: str) -> dict[str, str]:
    return {
        f"create_{one}": f"Create a {one}",
        f"change_{one}": f"Change a {one}",
        f"change_{one}_by_id": f"Change a {one}, by its id",
        f"delete_{one}": f"Delete a {one}",
        f"restore_{one}": f"Restore a {one}",
        f"join_{one}": f"Join a {one} with a document",
        f"settle_{one}": f"Decide a conflict of a {one}",
        f"settle_all_of_{one}": f"Decide all conflicts of a {one}",
        f"do_about_{one}": f"Decide about a {one} that waits",
        f"sync_{many}": f"Sync {many}",
        f"retry_{many}": f"Send {many} that wait again",
    }


# As somebody would ask for it: what came of it is told beside it.
GROUPS: dict[str, dict[str, str]] = {
    "Signing in": {
        "sign-in": "Sign in",
        "sign-in.failed": "Sign in, and fail",
        "sign-in.wrong-code": "Sign in with a wrong code",
        "sign-in.not-let-in": "Come from the sign-in service, and not be let in",
        "sign-in.wrong-passkey": "Sign in with a wrong passkey",
        "sign-in.passkey-refused": "Come with a passkey that opens nothing",
        "sign-in.throttled": "Try to sign in too often",
        "bearer.refused": "Come with a token that opens nothing",
        "refresh.refused": "Renew with a token that opens nothing",
        "webhook.refused": "Send a webhook that is not signed",
        "welcome": "Choose a password by a link",
        "logout": "Sign out",
        "sign_out_elsewhere": "Sign out everywhere else",
        "password": "Change their own password",
        "confirm_password": "Give their password once more",
        "confirm.failed": "Give a wrong password once more",
        "end_one_sign_in": "Sign out one browser or program",
    },
    "People": {
        "invite_user": "Invite somebody",
        "invite_user_again": "Make a new link",
        "change_user": "Change an account",
        "reset_user": "Reset a password",
        "turn_off_factor_of_user": "Turn off somebody's authenticator app",
        "remove_passkeys_of_user": "Remove somebody's passkeys",
        "disconnect_user": "Disconnect somebody's account at the sign-in service",
        "revoke_token_of_user": "Revoke somebody's token",
        "hand_over_connections": "Hand over what somebody left",
        "delete_left_connections": "Delete what somebody left",
        "allow_site": "Allow a site in the hub's network",
        "forbid_site": "Take a site in the hub's network back",
    },
    "Their own tokens and settings": {
        "begin_second_factor": "Set an authenticator app up",
        "turn_on_second_factor": "Turn their authenticator app on",
        "turn_off_second_factor": "Turn their authenticator app off",
        "renew_recovery_codes": "Make new recovery codes",
        "begin_passkey": "Set a passkey up",
        "add_passkey": "Add a passkey",
        "rename_passkey": "Rename a passkey",
        "remove_passkey": "Remove a passkey",
        "connect_provider": "Set out to connect their account at the sign-in service",
        "connected_provider": "Connect their account at the sign-in service",
        "disconnect_provider": "Disconnect their account at the sign-in service",
        "make_token": "Make an API token",
        "delete_token": "Revoke an API token",
        "change_my_settings": "Change their own settings",
        "test_my_erpnext": "Test their own ERPNext",
    },
    "Connectors": {
        "set_up_erpnext": "Connect a site",
        "change_connector": "Change a connection",
        "test_settings": "Test changes of a connection",
        "test_connector": "Test a connection",
        "test_new_connector": "Test a new connection",
        "delete_connector": "Remove a connection",
        "retry_cleanup": "Clean up a site of a removed connection",
        "give_up_cleanup": "Give up cleaning a site up",
    },
    "Syncing": {
        "sync": "Sync",
        "resync": "Sync everything anew",
        "sync_stream": "Sync a stream",
        "verify": "Verify",
        "verify_stream": "Verify a stream",
        "cancel_one_run": "Cancel a run",
        "cancel_all_runs": "Cancel all runs of a connection",
        "add_stream": "Add a stream",
        "try_left_off": "Try what was left off a connection",
        "change_one_stream": "Change a stream",
        "switch_stream": "Switch a stream",
        "delete_one_stream": "Remove a stream",
    },
    "Customers": _of_records("customer", "customers"),
    "Suppliers": _of_records("supplier", "suppliers"),
    "Outbox": {
        "retry_write": "Send a write again",
        "retry_writes": "Send all failed writes again",
        "give_up_write": "Give a write up",
        "undo_write": "Take a write back",
    },
    "Two-way sync": {
        "check_two_way": "Look what two-way sync would do",
        "begin_two_way": "Begin two-way sync",
        "decide_match": "Decide about a pair",
        "decide_after_restore": "Decide what holds after a restore",
        "confirm_two_way": "Turn two-way sync on",
        "change_two_way": "Change two-way sync",
        "sync_two_way": "Sync both ways now",
        "end_two_way": "Turn two-way sync off",
        "retry_attention": "Send what waits again",
    },
    "Webhooks": {
        "set_up_webhooks": "Set webhooks up",
        "check_webhooks": "Look at the webhooks",
        "mend_webhooks": "Mend the webhooks",
        "rotate_secret_of_webhooks": "Change the webhooks' secret",
        "retry_deliveries": "Try failed deliveries again",
        "retry_delivery": "Try a failed delivery again",
        "remove_webhooks": "Remove the webhooks",
        "orphans": "Look for webhooks of no connection",
        "remove_orphaned_webhooks": "Remove webhooks of no connection",
    },
    "Files": {
        "file_of_rows": "Export rows",
        "download_log": "Download a log",
        "audit_csv": "Download the audit",
    },
    "Command line": {
        "cli": "Any command",
        "cli.connect": "bascule connect",
        "cli.sync": "bascule sync",
        "cli.users": "bascule users",
        "cli.token": "bascule token",
    },
}
WORDS = {action: words for group in GROUPS.values() for action, words in group.items()}
RECORDS = {"customer": "customers", "supplier": "suppliers"}
ACTS = {
    "send": "Send a {} to ERPNext",
    "retry": "Send a {} again",
    "give_up": "Give an edit of a {} up",
    "recreate": "Make a {} in ERPNext again",
    "delete_anyway": "Delete a {} in ERPNext all the same",
    "disable_instead": "Disable a {} in ERPNext instead",
    "accept": "Keep here alone what ERPNext did not take of a {}",
}
CHANGED = "changed"  # of an entry's detail; see events.changes
WAYS = {
    "session": "Browser",
    "jwt": "Program, signed in",
    "token": "API token",
    "cli": "Command line",
    "link": "One-time link",
    "oidc": "Sign-in service",
    "passkey": "Passkey",
}
# The first that a status is below; how it looks, and what it says.
ANSWERS = ((400, "done", "Done"), (500, "differs", "Not taken"), (600, "failed", "Failed"))
REFUSALS = {
    401: ("refused", "Refused"),
    403: ("refused", "Refused"),
    404: ("unknown", "Not there"),
    409: ("differs", "Not now"),
    429: ("refused", "Too many"),
}


@dataclass(frozen=True)
class LabelledEntry:
    """A row of the journal as the page shows it."""

    entry: Audit
    what: str
    way: str
    answer: tuple[str, str] | None  # how it looks, and what it says
    detail: list[tuple[str, Any]]
    href: str  # of what it was done to, where that has a page of its own


def labelled(entry: Audit) -> LabelledEntry:
    """In words."""
    way = WAYS.get(entry.via, entry.via)
    detail = [(name, value) for name, value in entry.detail.items() if name != CHANGED]
    detail = [*changes_of(entry), *detail]
    return LabelledEntry(entry, _what(entry), way, _answer(entry), detail, _href(entry))


def changes_of(entry: Audit) -> list[tuple[str, str]]:
    """Each value that was changed, as "daily → hourly"."""
    labelled = []
    for name, change in entry.detail.get(CHANGED, {}).items():
        words = change
        if isinstance(change, list):
            before, after = change
            words = f"{_shown(before)} → {_shown(after)}"
        called = name.removesuffix("_encrypted").replace("_", " ")
        labelled.append((called[0].upper() + called[1:], words))
    return labelled


def _shown(value: Any) -> str:
    if value in (None, "", [], {}):
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def label_of(action: str) -> str:
    """What an action is called: `change_connector` is "Change a connection"."""
    if action in WORDS:
        return WORDS[action]
    if action.startswith("cli."):
        return f"bascule {action.removeprefix('cli.').replace('.', ' ')}"
    return action.replace("_", " ").replace(".", ": ").capitalize()


def _what(entry: Audit) -> str:
    if entry.action == "sign-in.failed":
        return WORDS["sign-in"]
    if entry.action == "change_user" and "active" in entry.detail:
        return "Activate an account" if entry.detail["active"] else "Deactivate an account"
    if entry.action == "change_user" and "role" in entry.detail:
        return f"Make them {entry.detail['role']}"
    if (one := entry.action.removeprefix("do_about_")) in RECORDS and entry.detail.get(
        "act"
    ) in ACTS:
        return ACTS[entry.detail["act"]].format(one)
    if "records" in entry.detail:
        return f"{label_of(entry.action)}, {entry.detail['records']}"
    return label_of(entry.action)


def _href(entry: Audit) -> str:
    """The page of the record that it was about."""
    one, _, number = entry.object.partition(" ")
    plural = RECORDS.get(one, "")
    return f"/{plural}/{number}" if plural and number.isdecimal() else ""


def _answer(entry: Audit) -> tuple[str, str] | None:
    status = entry.detail.get("status")
    if entry.action == "sign-in.failed":
        return REFUSALS[401]
    if entry.via == "cli":
        # Without an outcome it was killed, or is going on.
        outcome = entry.detail.get("outcome")
        if outcome is None:
            return None
        return ANSWERS[0][1:] if outcome == "done" else ANSWERS[1][1:]
    if entry.detail.get("refused"):
        return ANSWERS[1][1:]
    if not isinstance(status, int):
        return ANSWERS[0][1:]
    if status in REFUSALS:
        return REFUSALS[status]
    return next(((look, words) for end, look, words in ANSWERS if status < end), None)
