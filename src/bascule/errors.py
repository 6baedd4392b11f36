"""What a person asked the hub for and cannot have.

    HubError
    ├── NoSuch            what was named is not there
    ├── Invalid           a value cannot be taken; `fields` tells which and why
    ├── Conflict          it cannot be done now, or together with what is there already
    ├── Unauthenticated   nobody who is known asks: no token, or one that opens nothing
    │   └── CodeNeeded    the password is right, and a code of their app is needed too
    ├── Forbidden         somebody who is known asks, and may not
    │   └── Unconfirmed   they may, once they have given their password again
    ├── TooMany           it was tried too often; in `retry_after` seconds it may be again
    └── Busy              all that can do it are at work; in `retry_after` seconds one may be free

Each carries the next step. How the API and the command line show them is theirs; what a site
answered is `bascule.frappe`'s tree of errors.
"""


class HubError(Exception):
    def __init__(self, message: str, *, next_step: str) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step


class NoSuch(HubError):
    pass


class Invalid(HubError):
    """`fields`: the name of each field that cannot be taken, and the reason in words."""

    def __init__(
        self, message: str, *, next_step: str, fields: dict[str, str] | None = None
    ) -> None:
        super().__init__(message, next_step=next_step)
        self.fields = fields or {}


class Conflict(HubError):
    pass


class Unauthenticated(HubError):
    pass


class CodeNeeded(Unauthenticated):
    pass


class Forbidden(HubError):
    pass


class Unconfirmed(Forbidden):
    """`wrong`: the password that was given with it is not theirs."""

    def __init__(self, message: str, *, next_step: str, wrong: bool = False) -> None:
        super().__init__(message, next_step=next_step)
        self.wrong = wrong


class TooMany(HubError):
    def __init__(self, message: str, *, next_step: str, retry_after: int) -> None:
        super().__init__(message, next_step=next_step)
        self.retry_after = retry_after


class Busy(HubError):
    def __init__(self, message: str, *, next_step: str, retry_after: int) -> None:
        super().__init__(message, next_step=next_step)
        self.retry_after = retry_after
