"""The one list of modules that hold jobs. With them come all tables, all who hear of webhooks,
and all who know what was made on a site.

Apart from `rooms`, as a worker shows no pages: `bascule sync` has not to load them.
"""

JOB_MODULES = [
    "bascule.mirror.jobs",
    "bascule.sync.jobs",
    "bascule.inbox.jobs",
    "bascule.inbox.frappe.jobs",
    "bascule.outbox.jobs",
    "bascule.sites.cleanup.jobs",
    "bascule.sites.connector",
    "bascule.inbox.frappe.site.removal",
    "bascule.sync.setup.leaving",
    "bascule.outbox.leaving",
    "bascule.events.jobs",
    "bascule.audit.jobs",
    "bascule.accounts.jobs",
]
