"""Requests and answers as they are kept: no secrets, and cut short where they are huge."""

import json
from typing import Any

LARGEST = 20_000  # characters of a request or an answer
# Fields of documents that are nobody's business in a journal.
SECRET = ("secret", "password", "api_key", "token")


def as_kept(value: Any) -> Any:
    plain = _without_secrets(value)
    text = json.dumps(plain, default=str)
    return json.loads(text) if len(text) <= LARGEST else {"cut": text[:LARGEST]}


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: "(removed)" if any(word in str(name) for word in SECRET) else _without_secrets(v)
            for name, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [_without_secrets(one) for one in value]
    return value
