"""What routes about the outbox ask for."""

from typing import Annotated

from fastapi import Depends

from bascule.accounts.access import require
from bascule.accounts.tables import User
from bascule.outbox.permissions import OUTBOX_MANAGE

MayManageOutbox = Annotated[User, Depends(require(OUTBOX_MANAGE))]
