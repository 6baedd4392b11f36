"""`python -m bascule.sandbox` is `bascule sandbox`."""

import sys

from bascule.sandbox.command import main

sys.exit(main())
