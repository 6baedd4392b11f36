"""A sandbox in a process of its own: the site that the two-way figures are measured against."""

import json
import sys

from bascule.sandbox import SandboxThread, demo_company


def main() -> None:
    with SandboxThread(demo_company()) as site:
        said = {"url": site.url, "api_key": site.api_key, "api_secret": site.api_secret}
        print(json.dumps(said), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
