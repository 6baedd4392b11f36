"""How fast the mirror is and how much memory it takes, against a site that answers at once.

`python -m bench` runs it; docs/performance.md says what the figures mean.
"""
