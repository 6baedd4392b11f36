"""Run by the environment of frappe-client: calls its client with what comes line by line."""

import contextlib
import json
import os
import sys

from frappeclient.frappeclient import FrappeClient

if "PASSWORD" in os.environ:
    client = FrappeClient(os.environ["URL"], os.environ["NAME"], os.environ["PASSWORD"])
else:
    key, secret = os.environ["API_KEY"], os.environ["API_SECRET"]
    client = FrappeClient(os.environ["URL"], api_key=key, api_secret=secret)

for line in sys.stdin:
    name, given = json.loads(line)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # where it prints pages that it cannot read
            told = {"result": getattr(client, name)(**given)}
    except Exception as error:
        told = {"error": type(error).__name__, "said": str(error)}
    print(json.dumps(told), flush=True)
