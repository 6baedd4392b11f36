"""PostgreSQL: the embedded server or yours, sessions, migrations, and secrets at rest.

Bulk COPY and the mirrored tables are `bascule.mirror`'s.
"""

from bascule.store.database import Database, open_database
from bascule.store.errors import StoreError

__all__ = ["Database", "StoreError", "open_database"]
