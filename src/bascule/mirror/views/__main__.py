"""Prints the tables of docs/views.md: `python -m bascule.mirror.views`."""

from bascule.mirror.views import views_markdown

print(views_markdown(), end="")
