"""The pages of records: for each record type the same ones, and those about all of them.

A form's route is called as the API's that does the same: the journal has one word for both.
"""

from fastapi import APIRouter

from bascule.twoway import (
    pages_form,
    pages_list,
    pages_mapping,
    pages_queues,
    pages_record,
    pages_setup,
)
from bascule.twoway.fields import RecordType
from bascule.twoway.kinds import RECORD_TYPES


def _pages_of(kind: RecordType) -> APIRouter:
    router = APIRouter(prefix=f"/{kind.plural}", include_in_schema=False)
    for module in (pages_list, pages_form, pages_record):  # /new before /{number}
        module.add_to(router, kind)
    return router


routers = [
    *(_pages_of(kind) for kind in RECORD_TYPES.values()),
    pages_queues.pages,
    pages_setup.pages,
    pages_mapping.pages,
]
