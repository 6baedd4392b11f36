"""Short names of connections, which also name the schemas of their mirrors."""

import re
import unicodedata

SLUG = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
# Schemas that are not ours to take, and words that our own addresses use in a slug's place.
# Schemas that are not ours to take, and words that our own addresses use in a slug's place.
RESERVED = {"bascule", "public", "information_schema", "new", "status", "sync", "types"}


def slug_of(name: str) -> str:
    """A slug made from a name that people read. It may still be taken."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:34].strip("_") or "site"
    fits = slug[0].isalpha() and slug not in RESERVED and not slug.startswith("pg_")
    return slug if fits else f"site_{slug}"
