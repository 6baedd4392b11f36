"""`rotate-key`: from one secret key to the next, while the hub runs."""

from typing import TYPE_CHECKING

from bascule.cli.exit_codes import Exit, Refused
from bascule.cli.identity import acting_hub
from bascule.cli.terminal import AsJson, document, err, out

if TYPE_CHECKING:
    from bascule.store.vault import Vault


async def rotate_key(as_json: AsJson = False) -> int:
    """Encrypt every stored secret with a new key. The hub may run meanwhile; cut off, run it again.

    A key in the data folder is replaced by a new one. One from BASCULE_SECRET_KEY you replace
    yourself, and keep the one before it in BASCULE_SECRET_KEY_PREVIOUS until this is done.
    """
    from bascule.rooms import ROUTERS  # with them come all tables, and so all that is encrypted
    from bascule.store.key_rotation import rotate

    assert ROUTERS  # noqa: S101
    async with acting_hub() as (hub, _):
        done = await rotate(hub.db, hub.vault)
        in_folder = hub.vault.path is not None
    if as_json:
        document({"renewed": done.renewed, "already": done.already, "lost": done.lost})
    else:
        out.print(f"{done.renewed} secrets are encrypted with the new key; {done.already} were.")
        if not in_folder:
            out.print("BASCULE_SECRET_KEY_PREVIOUS is needed no more: unset it, restart the hub.")
        for name in done.lost:
            err.print(f"[red]✗[/] No key opens {name}; it has to be entered again.")
    return Exit.FAILED if done.lost else Exit.DONE


def refuse_weak_key(
    vault: "Vault", host: str, *, public_url: str | None = None, proxies: str = ""
) -> None:
    """Whoever reaches a hub from outside, also through a proxy, may come by what it encrypts."""
    from urllib.parse import urlsplit

    from bascule.sites.address import is_loopback

    weakness = vault.weakness()
    outside = "" if is_loopback(host) else f"listen on {host}"
    if public_url and not is_loopback(urlsplit(public_url).hostname or ""):
        outside = outside or f"serve {public_url}"
    elif proxies:
        outside = outside or f"serve the proxy {proxies}"
    if weakness is None or not outside:
        return
    where = "BASCULE_SECRET_KEY" if vault.path is None else f"The secret key in {vault.path}"
    raise Refused(
        f"{where} {weakness}, so the hub does not {outside}.",
        next_step="Make a good one with 'openssl rand -base64 32' and go over to it as "
        "docs/secrets.md says, or listen on 127.0.0.1 with no proxy before it.",
    )
