"""Every way in which a site can fail a caller, by what the caller would do about it.

    FrappeError              the root: a message, the next step, the DocType, the HTTP status
    ├── WrongCredentials     the site does not take this key and secret: get new ones
    ├── NoPermission         the user may not do this: give the user one of `roles`
    ├── NotFound             no such document, DocType or method: check the name
    ├── ChangedMeanwhile     somebody saved the document since it was read: read it and try again
    ├── Invalid              the site refused the values: correct those that `fields` names
    │   ├── Duplicate        a document of this name, or with this unique value, is there already
    │   └── Linked           other documents link to this one: deal with them first
    ├── Unavailable          not now: the same request may succeed later
    │   ├── RateLimited      too many requests: wait `retry_after` seconds
    │   ├── SiteDown         no answer, half an answer, or a proxy's word that the site is down
    │   └── Timeout          no answer in time: ask for less, or later
    ├── TooLarge             more bytes than were allowed for: ask for less
    ├── NeverEnds            a list goes on beyond what the site counts: find out why
    ├── NotAFrappeSite       somebody answers there, but not as a Frappe site: check the address
    ├── TLSFailure           the connection cannot be trusted: fix the certificate or give its CA
    └── AddressRefused       `may_connect` said no to where the name leads: another address

A caller catches what it can do something about, and shows the rest as it is:

    try:
        await site.update("Item", "BOLT", {"item_name": "Bolt M8"}, based_on=modified)
    except ChangedMeanwhile:
        ...  # read the document again, merge, send again
    except Invalid as error:
        ...  # show error.fields beside the fields
    except Unavailable as error:
        ...  # try again later; a write that is not error.undone may have been carried out
    except FrappeError as error:
        print(error, error.next_step)

No error holds a credential, a request, or another exception that does.
"""


class FrappeError(Exception):
    """`next_step` is a sentence for the person who meets it; `status` the HTTP status, if any."""

    def __init__(
        self, message: str, *, next_step: str, doctype: str | None = None, status: int | None = None
    ) -> None:
        super().__init__(message)
        self.next_step = next_step
        self.doctype = doctype
        self.status = status


class WrongCredentials(FrappeError):
    pass


class NoPermission(FrappeError):
    """`roles`: those that would help, where the DocType's permissions could be read. `field`: the
    DocType and the field that the user may not read, where the refusal is about that field alone.
    """

    def __init__(
        self,
        message: str,
        *,
        next_step: str,
        doctype: str | None = None,
        status: int | None = None,
        roles: tuple[str, ...] = (),
        field: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(message, next_step=next_step, doctype=doctype, status=status)
        self.roles = roles
        self.field = field


class NotFound(FrappeError):
    pass


class ChangedMeanwhile(FrappeError):
    pass


class Invalid(FrappeError):
    """`fields`: what the site says about each field, by fieldname, or by label where only that is
    known. Empty where it names none.
    """

    def __init__(
        self,
        message: str,
        *,
        next_step: str,
        doctype: str | None = None,
        status: int | None = None,
        fields: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message, next_step=next_step, doctype=doctype, status=status)
        self.fields = fields or {}


class Duplicate(Invalid):
    pass


class Linked(Invalid):
    pass


class Unavailable(FrappeError):
    """`retry_after`: seconds from when the answer came, where the site asked for a pause.
    `undone`: the request was certainly not carried out; else nobody knows.
    """

    def __init__(
        self,
        message: str,
        *,
        next_step: str,
        doctype: str | None = None,
        status: int | None = None,
        retry_after: float | None = None,
        undone: bool = False,
    ) -> None:
        super().__init__(message, next_step=next_step, doctype=doctype, status=status)
        self.retry_after = retry_after
        self.undone = undone or isinstance(self, RateLimited)


class RateLimited(Unavailable):
    pass


class SiteDown(Unavailable):
    pass


class Timeout(Unavailable):
    pass


class TooLarge(FrappeError):
    """An answer of at least so many `bytes`, of which no more was read than was allowed."""

    def __init__(self, message: str, *, next_step: str, bytes_: int) -> None:
        super().__init__(message, next_step=next_step)
        self.bytes = bytes_


class NeverEnds(FrappeError):
    pass


class NotAFrappeSite(FrappeError):
    pass


class TLSFailure(FrappeError):
    pass


class AddressRefused(FrappeError):
    pass
