"""How the hub itself is: for its admins on one page, and for what watches it."""
