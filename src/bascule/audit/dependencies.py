"""What routes about the audit log ask for."""

from typing import Annotated

from fastapi import Depends

from bascule.accounts.access import require
from bascule.accounts.tables import User
from bascule.audit.permissions import AUDIT_READ

MayReadAudit = Annotated[User, Depends(require(AUDIT_READ))]
