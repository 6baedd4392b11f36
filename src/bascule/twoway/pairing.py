"""Which record is which document, told from their values. Decides and touches nothing."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bascule.twoway.fields import RecordType


@dataclass(frozen=True)
class Candidate:
    """One side of a pair. `key`: a record's id or a document's name."""

    key: Any
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Proposal:
    record: Candidate | None
    document: Candidate | None
    matched_by: str | None = None
    ambiguous: bool = False


def pairs(
    kind: RecordType, records: Sequence[Candidate], documents: Sequence[Candidate]
) -> list[Proposal]:
    """Each record and each document once. Where several would fit none is taken: `ambiguous`."""
    free_records = {one.key: one for one in records}
    free_documents = {one.key: one for one in documents}
    found: list[Proposal] = []
    doubtful: dict[Any, Proposal] = {}
    for field, by in ((kind.tax, "tax_id"), (kind.email, "email"), (kind.title, "name")):
        here = _by_value(free_records.values(), field)
        there = _by_value(free_documents.values(), field)
        for value in here.keys() & there.keys():
            if len(here[value]) == 1 and len(there[value]) == 1:
                record, document = here[value][0], there[value][0]
                found.append(Proposal(record, document, by))
                del free_records[record.key], free_documents[document.key]
                doubtful.pop(record.key, None)
            else:
                for record in here[value]:
                    doubtful.setdefault(
                        record.key, Proposal(record, there[value][0], by, ambiguous=True)
                    )
    taken = {one.document.key for one in found if one.document}
    for key, record in free_records.items():
        doubt = doubtful.get(key)
        if doubt is not None and doubt.document and doubt.document.key not in taken:
            found.append(doubt)
        else:
            found.append(Proposal(record, None))
    found += [Proposal(None, document) for document in free_documents.values()]
    return found


def _by_value(candidates: Iterable[Candidate], field: str) -> dict[str, list[Candidate]]:
    found: dict[str, list[Candidate]] = defaultdict(list)
    for one in candidates:
        value = normal(one.values.get(field))
        if value:
            found[value].append(one)
    return found


def normal(value: Any) -> str:
    """In which two values are the same to a person who looks for doubles."""
    return " ".join(str(value or "").split()).casefold()
