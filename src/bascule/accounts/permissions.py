"""Permissions, and the roles that are sets of them.

A room declares each of its permissions once, beside what it protects, in its own `permissions.py`;
its routes ask for it with `access.require`. The declaration says which built-in roles have it, so
that a role's set, the page Roles, the API and docs/accounts.md follow from it. A new room adds
permissions to built-in roles by its own declarations, and changes nothing here.
"""

from dataclasses import dataclass
from typing import Literal

Scope = Literal["read", "write", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "write", "admin")  # each may what those before it may
BUILT_IN_ROLES = {
    "viewer": "looks at everything that is shared, and exports it",
    "editor": "also syncs, verifies, and changes streams, schedules and records",
    "accountant": "looks, and does what bookkeeping needs: edits records, syncs and verifies",
    "admin": "also looks after people, shared connections and their credentials",
}


@dataclass(frozen=True, slots=True)
class Permission:
    """`allows` completes the sentence "may ...". `scope`: the narrowest scope of an API token that
    carries it. `roles`: the built-in roles that have it.
    """

    name: str
    allows: str
    scope: Scope
    roles: frozenset[str]
    includes: "tuple[Permission, ...]" = ()

    @property
    def is_everybodys(self) -> bool:
        """Every role has it, and no role can be without."""
        return self.roles.issuperset(BUILT_IN_ROLES)


_declared: dict[str, Permission] = {}


def declare(
    name: str,
    allows: str,
    *,
    scope: Scope,
    roles: tuple[str, ...] = (),
    includes: tuple[Permission, ...] = (),
) -> Permission:
    """Admins have every permission, so `roles` names the others only. A role that has this one has
    what it `includes`.
    """
    having = frozenset((*roles, "admin"))
    if not having <= BUILT_IN_ROLES.keys():
        raise ValueError(f"{name}: no built-in role is called {sorted(having)}")
    if not all(having <= each.roles for each in includes):
        raise ValueError(f"{name}: a role would have it without what it includes")
    permission = Permission(name, allows, scope, having, includes)
    if _declared.setdefault(name, permission) != permission:
        raise ValueError(f"{name} is declared twice")
    return permission


def declared() -> list[Permission]:
    """By name; of those rooms that are imported."""
    return sorted(_declared.values(), key=lambda each: each.name)


def named(permission: Permission | str) -> Permission:
    """KeyError: no room declares it."""
    return _declared[permission] if isinstance(permission, str) else permission


def has_permission(
    role: str, own_set: list[str] | None, permission: Permission, *, held_to: str = ""
) -> bool:
    """`own_set`: the names in the set of a role that is not built in. `held_to`: the scope of the
    token that acts, "" where none does.
    """
    if held_to and SCOPES.index(permission.scope) > SCOPES.index(named_scope(held_to)):
        return False
    if own_set is None:
        return role in permission.roles
    return permission.is_everybodys or permission.name in own_set


def named_scope(scope: str) -> Scope:
    """ValueError: there is no such scope."""
    return SCOPES[SCOPES.index(scope)]


def permissions_of(role: str, own_set: list[str] | None = None) -> list[Permission]:
    """All that a role has."""
    return [each for each in declared() if has_permission(role, own_set, each)]


_EVERYBODY = tuple(BUILT_IN_ROLES)

ACCOUNT_OWN = declare(
    "account.own",
    "sign in, and look after one's own password, passkeys, sessions and API tokens",
    scope="read",
    roles=_EVERYBODY,
)
DATA_READ = declare(
    "data.read",
    "look at all that is shared (connections, data, records, runs, logs), and export it",
    scope="read",
    roles=_EVERYBODY,
)
SERVICES_OWN = declare(
    "services.own",
    "keep one's own access to ERPNext and Nextcloud, and test it",
    scope="write",
    roles=("editor",),
)
PEOPLE_MANAGE = declare(
    "people.manage",
    "invite people, give roles, reset and deactivate; revoke their tokens; make other roles",
    scope="admin",
)
SITES_ALLOW = declare(
    "sites.allow",
    "say which addresses in the hub's own network may be connected to",
    scope="admin",
)
