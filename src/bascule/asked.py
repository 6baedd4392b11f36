"""What a request may ask: a parameter that its route does not know is refused, not left aside.

`?serach=acme` would otherwise be answered with everything.
"""

from collections.abc import Iterator
from typing import Any

from fastapi import Request

from bascule.data.api import filters_of
from bascule.errors import Invalid


async def refuse_unknown(request: Request) -> None:
    """A dependency of every route of the API. Invalid."""
    known, any_filter = _known(request.scope["route"])
    unknown = [] if any_filter else sorted(set(request.query_params) - known)
    if unknown:
        listed = ", ".join(sorted(known)) or "none"
        raise Invalid(
            f"This route does not know {', '.join(unknown)[:200]}.",
            next_step=f"The parameters that it knows: {listed}.",
            fields=dict.fromkeys(unknown, "is no parameter of this route"),
        )


def _known(route: Any) -> tuple[set[str], bool]:
    """The query's parameters, and whether any other one is a filter."""
    parts = list(_parts(route.dependant))
    known = {field.alias for part in parts for field in part.query_params}
    return known, any(part.call is filters_of for part in parts)


def _parts(dependant: Any) -> Iterator[Any]:
    """A route's own parameters, and those of what it depends on."""
    yield dependant
    for each in dependant.dependencies:
        yield from _parts(each)
