"""The floor: the pages that a pull asked for, fetched again in the same lanes, and thrown away.

Takes one line of JSON on its input, and answers with one.
"""

import asyncio
import json
import sys
import time
from typing import Any

import aiohttp


async def fetch(order: dict[str, Any]) -> dict[str, object]:
    """Pages that go up and pages that go down were asked for side by side, so they are here."""
    bodies = [json.dumps(page).encode() for page in order["pages"]]
    down = [body for body in bodies if b"name desc" in body]
    up = [body for body in bodies if b"name desc" not in body]
    headers = {"Accept-Encoding": "identity", "Content-Type": "application/json"}
    url = f"{order['url']}/api/method/frappe.client.get_list"
    async with aiohttp.ClientSession(headers=headers, read_bufsize=2**19) as session:

        async def lane(bodies: list[bytes]) -> int:
            size = 0
            for body in bodies:
                async with session.post(url, data=body) as answer:
                    size += len(await answer.read())
            return size

        started = time.perf_counter()
        sizes = await asyncio.gather(lane(up), lane(down))
        return {"seconds": time.perf_counter() - started, "bytes": sum(sizes), "pages": len(bodies)}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(fetch(json.loads(sys.stdin.readline())))), flush=True)
