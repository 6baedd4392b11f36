"""FastAPI dependencies of routes that change connections."""

from typing import Annotated

from fastapi import Depends

from bascule.accounts.access import require
from bascule.accounts.tables import User
from bascule.connections.permissions import CONNECTIONS_EDIT

MayEditConnections = Annotated[User, Depends(require(CONNECTIONS_EDIT))]
