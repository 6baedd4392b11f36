"""One attempt at a run in a process of its own, which a test may kill: `python one_run.py RUN`.

Prints the most memory that it had, in KB: its own, where `getrusage` begins with its parent's.
"""

import asyncio
import sys
from pathlib import Path

from bascule.hub import open_hub
from bascule.mirror.runs.execution import carry_out


async def main(run_id: int) -> None:
    async with open_hub() as hub:
        await carry_out(hub, run_id)


asyncio.run(main(int(sys.argv[1])))
lines = Path("/proc/self/status").read_text().splitlines()
print(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))
