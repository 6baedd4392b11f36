"""What routes about the system ask for."""

from typing import Annotated

from fastapi import Depends

from bascule.accounts.access import require
from bascule.accounts.tables import User
from bascule.system.permissions import SYSTEM_READ

MayReadSystem = Annotated[User, Depends(require(SYSTEM_READ))]
