"""The sandbox as a child process: `python -m bascule.cli.demo.sandbox_process PORT ...`.

It serves on the first of these ports that is free, and ends when its parent does.

The parent holds the other end of stdin. However the parent ends, kill -9 too, the system closes
that, and this process stops: on every operating system, with no file to look after.
"""

import os
import signal
import sys
import threading

from bascule.sandbox.command import run_sandbox


def _let_go() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    threading.Thread(target=_let_go, daemon=True).start()
    port, *others = map(int, sys.argv[1:])
    run_sandbox(port, others=others, as_json=True)


if __name__ == "__main__":
    main()
