"""Which record is which document, told from their values. Decides and touches nothing."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bascule.sync.fields import RecordType
from bascule.sync.pairing.likeness import collated, key_of


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
    """Each record and each document once. Where several would fit none is taken: `ambiguous`. So it
    is where names are one to ERPNext's database alone: one is not made beside the other unseen.
    """
    free_records = {one.key: one for one in records}
    free_documents = {one.key: one for one in documents}
    found: list[Proposal] = []
    doubtful: dict[Any, Proposal] = {}
    for field, by in ((kind.tax, "tax_id"), (kind.email, "email"), (kind.title, "name")):
        here = _by_value(kind, free_records.values(), field)
        there = _by_value(kind, free_documents.values(), field)
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
    for record, document in _one_to_the_database(kind, free_records, free_documents):
        doubtful.setdefault(record.key, Proposal(record, document, "name", ambiguous=True))
    taken = {one.document.key for one in found if one.document}
    for key, record in free_records.items():
        doubt = doubtful.get(key)
        if doubt is not None and doubt.document and doubt.document.key not in taken:
            found.append(doubt)
        else:
            found.append(Proposal(record, None))
    found += [Proposal(None, document) for document in free_documents.values()]
    return found


def _by_value(
    kind: RecordType, candidates: Iterable[Candidate], field: str
) -> dict[str, list[Candidate]]:
    found: dict[str, list[Candidate]] = defaultdict(list)
    for one in candidates:
        value = key_of(kind, field, one.values.get(field))
        if value:
            found[value].append(one)
    return found


def _one_to_the_database(
    kind: RecordType, records: Mapping[Any, Candidate], documents: Mapping[Any, Candidate]
) -> Iterator[tuple[Candidate, Candidate]]:
    there = {collated(one.values.get(kind.title)): one for one in documents.values()}
    for record in records.values():
        name = collated(record.values.get(kind.title))
        if name and name in there:
            yield record, there[name]
