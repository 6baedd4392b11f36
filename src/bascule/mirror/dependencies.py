"""What routes about the mirror ask for."""

from typing import Annotated

from fastapi import Depends

from bascule.accounts.access import require
from bascule.accounts.tables import User
from bascule.mirror.permissions import STREAMS_MANAGE, SYNC_RUN

MaySync = Annotated[User, Depends(require(SYNC_RUN))]
MayManageStreams = Annotated[User, Depends(require(STREAMS_MANAGE))]
