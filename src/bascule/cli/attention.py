"""`attention`: what needs somebody, as the first page tells it."""

from bascule.cli.exit_codes import Exit
from bascule.cli.identity import acting_hub
from bascule.cli.terminal import AsJson, document, escape, out


async def attention(as_json: AsJson = False) -> int:
    """What needs somebody: sites, runs, conflicts, records, webhooks, credentials.

    The most urgent first, with what to do. Asks no site. Exits with 1 where there is something,
    and with 0 where there is nothing, or only what the hub tries again by itself.
    """
    import bascule.rooms  # noqa: F401 - all of them tell
    from bascule.attention.api import AttentionItemAnswer
    from bascule.attention.items import attention_items_of
    from bascule.job_modules import JOB_MODULES
    from bascule.jobs import load

    load(JOB_MODULES)

    async with acting_hub() as (hub, viewer), hub.db.session() as session:
        needs = [
            AttentionItemAnswer.of(need) for need in await attention_items_of(hub, session, viewer)
        ]
    if as_json:
        document({"needs": [need.model_dump(mode="json") for need in needs]})
    for need in needs if not as_json else []:
        mark = "[yellow]…[/]" if need.kind == "waiting" else "[red]✗[/]"
        more = f" and {len(need.also)} more" if need.also else ""
        out.print(f"{mark} [bold]{escape(need.name)}{more}[/]: {escape(need.what)}")
        out.print(f"  → {escape(need.next_step)}")
        if need.command or need.page:
            out.print(f"    [dim]{escape(need.command or need.page)}[/]")
        for one in need.also:
            out.print(f"    [dim]{escape(one.name)}: {escape(one.command or one.page)}[/]")
    if not needs and not as_json:
        out.print("[green]Nothing needs attention.[/]")
    return Exit.FAILED if any(need.kind != "waiting" for need in needs) else Exit.DONE
