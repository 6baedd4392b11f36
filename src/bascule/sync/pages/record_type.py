"""What pages of every record type share: which type it is, its address, and what was done to it."""

from typing import Annotated

from fastapi import Depends, Path, Request

from bascule.audit.entries import about, entry_of
from bascule.sync.fields import RecordType
from bascule.sync.queries import BIGGEST, LinkedRecord
from bascule.sync.record_types import record_type


def record_type_in_address(request: Request) -> RecordType:
    return record_type(request.url.path.split("/")[1])


TheKind = Annotated[RecordType, Depends(record_type_in_address)]
Number = Annotated[int, Path(ge=1, le=BIGGEST)]


def page_of(whole: LinkedRecord) -> str:
    return f"/{whole.fields.type.plural}/{whole.record.id}"


def note(request: Request, whole: LinkedRecord) -> None:
    """Into the journal: which record this was about."""
    if whole.connection is not None:
        about(request, whole.connection)
    entry = entry_of(request)
    entry.private_to = entry.private_to or whole.record.private_to
    entry.object = f"{whole.record.record_type} {whole.record.id}"
