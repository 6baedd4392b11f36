"""`python -m bascule`: the same as the command `bascule`."""

from bascule.cli import main

main()
