"""The command line: every verb that a person can say to the hub.

One file a group of verbs. Nothing heavy is imported before a verb needs it, so that help and
completion answer at once; what a verb does is its room's, here is only the way in and out.
"""

from bascule.cli.program import app, main

__all__ = ["app", "main"]
