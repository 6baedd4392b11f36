"""What routes about records ask for."""

from typing import Annotated

from fastapi import Depends

from bascule.accounts.access import require
from bascule.accounts.tables import User
from bascule.sync.permissions import RECORDS_EDIT, TWO_WAY_MANAGE

MayEditRecords = Annotated[User, Depends(require(RECORDS_EDIT))]
MayManageTwoWay = Annotated[User, Depends(require(TWO_WAY_MANAGE))]
