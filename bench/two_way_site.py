"""A sandbox in a process of its own: the site that the two-way figures are measured against.

Its `editor` is another user than the hub's: of what the hub's own user saves a site does not tell.
"""

import json
import sys

from bascule.sandbox import SandboxThread, demo_company


def main() -> None:
    with SandboxThread(demo_company()) as site:
        editor = site.users["admin"]
        said = {
            "url": site.url, "api_key": site.api_key, "api_secret": site.api_secret,
            "editor": f"token {editor.api_key}:{editor.api_secret}",
        }  # fmt: skip
        print(json.dumps(said), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
