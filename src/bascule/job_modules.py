"""The one list of modules that hold jobs. With them come all tables and all who hear of webhooks.

Apart from `rooms`, as a worker shows no pages: `bascule sync` has not to load them.
"""

JOB_MODULES = [
    "bascule.mirror.jobs",
    "bascule.twoway.jobs",
    "bascule.inbox.jobs",
    "bascule.events.jobs",
    "bascule.accounts.jobs",
]
