"""People of every role, and the ways in which each of them asks."""
