"""docs/demo.svg, from a real demo in a terminal: `python docs/screenshot.py`.

Secrets of that run, though they are the sandbox's and gone with it, are dotted out.
"""

import fcntl
import os
import pty
import re
import struct
import sys
import tempfile
import termios
from pathlib import Path

from rich.console import Console
from rich.text import Text

WIDTH, HEIGHT = 118, 60
MOVES = re.compile(r"\x1b\[(\d*)([ABKJ])|\x1b\[\?\d+[hl]|(\r)|(\n)")
SECRETS = (
    (re.compile(r"bsc_[\w-]+"), "bsc_..."),
    (re.compile(r"token \w+:\w+"), "token ...:..."),
    (re.compile(r"password [\w-]{16}"), "password ..."),
    (re.compile(r"BASCULE_DATA_DIR=\S+-demo \S+/bascule"), "BASCULE_DATA_DIR=... bascule"),
)


def main() -> None:
    text = screen(record(["demo", "--once"]))
    for secret, dots in SECRETS:
        text = secret.sub(dots, text)
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere)
        console.print(Text.from_ansi("$ bascule demo\n" + text.strip("\n")), no_wrap=True)
    # Without the web fonts: a picture asks nobody for anything.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title="bascule demo"), flags=re.S)
    Path(__file__).with_name("demo.svg").write_text(svg + "\n")


def record(arguments: list[str]) -> str:
    """What the command writes to a terminal, in a data folder that is thrown away."""
    folder = tempfile.TemporaryDirectory()
    Path(folder.name).chmod(0o755)
    child, terminal = pty.fork()
    if child == 0:
        environment = os.environ | {"BASCULE_DATA_DIR": f"{folder.name}/hub", "TERM": "xterm"}
        command = str(Path(sys.executable).with_name("bascule"))
        os.execvpe(command, [command, *arguments], environment)  # noqa: S606 - that is the point
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    written = bytearray()
    while True:
        try:
            written += os.read(terminal, 65_536)
        except OSError:  # how Linux says that the terminal was closed
            break
    _, status = os.waitpid(child, 0)
    folder.cleanup()
    if status:
        raise SystemExit(written.decode(errors="replace"))
    return written.decode()


def screen(written: str) -> str:
    """What is on the screen in the end, colours and all: bars are drawn over and over."""
    lines, row, place = [""], 0, 0
    for move in MOVES.finditer(written):
        lines[row] += written[place : move.start()]
        place = move.end()
        count, what = int(move[1] or 1), move[2]
        if move[4]:
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif what == "A":
            row = max(row - count, 0)
        elif what == "K":
            lines[row] = ""
    return "\n".join(lines)


if __name__ == "__main__":
    main()
