"""The pages of records: for each record type the same ones, and those about all of them.

A form's route is called as the API's that does the same: the journal has one word for both.
"""

from fastapi import APIRouter

from bascule.sync.fields import RecordType
from bascule.sync.pages import form, listing, mapping, queues, record, setup
from bascule.sync.record_types import RECORD_TYPES


def _pages_of(kind: RecordType) -> APIRouter:
    router = APIRouter(prefix=f"/{kind.plural}", include_in_schema=False)
    for module in (listing, form, record):  # /new before /{number}
        module.add_to(router, kind)
    return router


routers = [
    *(_pages_of(kind) for kind in RECORD_TYPES.values()),
    queues.pages,
    setup.pages,
    mapping.pages,
]
