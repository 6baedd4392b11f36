"""What two-way sync lets people do."""

from bascule.accounts.permissions import declare

RECORDS_EDIT = declare(
    "records.edit",
    "add, change, delete and restore records (customers, suppliers), send them and resolve "
    "conflicts",
    scope="write",
    roles=("editor", "accountant"),
)
TWO_WAY_MANAGE = declare(
    "two_way.manage",
    "set two-way sync up and end it, match records, and map fields",
    scope="write",
    roles=("editor",),
)
