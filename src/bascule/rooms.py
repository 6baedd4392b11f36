"""The one list of rooms: which routers the application has, and which modules hold jobs."""

from fastapi import APIRouter

from bascule.connections.api import router as connections
from bascule.events.api import router as events
from bascule.events.journal_api import router as journal
from bascule.mirror.api import router as mirror
from bascule.mirror.rows_api import router as rows

# In this order: /api/connectors/status is the mirror's, and no connector's slug.
ROUTERS: list[APIRouter] = [mirror, rows, connections, events, journal]
JOB_MODULES = ["bascule.mirror.jobs", "bascule.events.jobs"]
