"""The README's pictures, from a real demo: `make pictures`; `--into` puts them elsewhere.

demo.svg is its terminal; connection.png is a page in Chromium, whose words are its description.
Secrets of that run, though they are of the sandbox and gone with it, are dotted out.
"""

import argparse
import fcntl
import html
import os
import pty
import re
import select
import shutil
import signal
import struct
import sys
import tempfile
import termios
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.text import Text

WIDTH, HEIGHT = 118, 60
PATIENCE = 180.0  # seconds until the demo has printed its last line
LAST = b"see it arrive below"
QUIET = 2.0  # seconds after which nothing more is printed
MOVES = re.compile(r"\x1b\[(\d*)([ABKJ])|\x1b\[\?\d+[hl]|(\r)|(\n)")
STYLES = re.compile(r"\x1b\[[\d;]*m")
WAY_IN = re.compile(r"(http://\S+?)/?\s+as (\S+), password (\S+)")
SECRETS = (
    (re.compile(r"bsc_[\w-]+"), "bsc_..."),
    (re.compile(r"token \w+:\w+"), "token ...:..."),
    (re.compile(r"password [\w-]{16}"), "password ..."),
    (re.compile(r"BASCULE_DATA_DIR=\S+-demo \S+/bascule"), "BASCULE_DATA_DIR=... bascule"),
)
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
PICTURED = "nav a, h1, .actions .btn, .actions button"  # what of a page its description tells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=Path(__file__).parent)
    into: Path = parser.parse_args().into
    with demo() as written:
        text = screen(written)
        found = WAY_IN.search(STYLES.sub("", text))
        if found is None:
            raise SystemExit(f"The demo did not say how to sign in:\n{text}")
        (into / "connection.png").write_bytes(connection(*found.groups()))
    for secret, dots in SECRETS:
        text = secret.sub(dots, text)
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere)
        console.print(Text.from_ansi("$ bascule demo\n" + text.strip("\n")), no_wrap=True)
    # Without the web fonts: a picture asks nobody for anything.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title="bascule demo"), flags=re.S)
    (into / "demo.svg").write_text(svg + "\n")


@contextmanager
def demo() -> Iterator[str]:
    """What a demo writes to a terminal, which runs within the block; its data is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        child, terminal = pty.fork()
        if child == 0:
            environment = os.environ | {"BASCULE_DATA_DIR": f"{folder}/hub", "TERM": "xterm"}
            command = str(Path(sys.executable).with_name("bascule"))
            os.execvpe(command, [command, "demo"], environment)  # noqa: S606 - that is the point
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
        try:
            yield written(terminal).decode()
        finally:
            os.kill(child, signal.SIGINT)
            while select.select([terminal], [], [], QUIET)[0] and read(terminal):
                pass
            os.waitpid(child, 0)


def written(terminal: int) -> bytes:
    """All up to the last line, after which it is quiet."""
    give_up, text = time.monotonic() + PATIENCE, b""
    while LAST not in text or select.select([terminal], [], [], QUIET)[0]:
        piece = read(terminal)
        text += piece
        if not piece or time.monotonic() > give_up:
            raise SystemExit(text.decode(errors="replace"))
    return text


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # how Linux says that the terminal was closed
        return b""


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


def connection(url: str, name: str, password: str) -> bytes:
    """The page of the demo's connection, when it has settled, as PNG."""
    program = os.environ.get("BASCULE_CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM)))
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=as_root)
        page = browser.new_page(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
        page.set_default_timeout(PATIENCE * 1000)
        page.goto(f"{url}/sign-in")
        page.get_by_label("Username or e-mail address").fill(name)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.wait_for_url(lambda at: "/sign-in" not in at)
        page.goto(f"{url}/connectors/demo")
        page.get_by_text("Syncing").first.wait_for(state="hidden")
        picture = described(page.screenshot(), words_on(page))
        browser.close()
    return picture


def words_on(page: Page) -> str:
    """The navigation, headings and buttons of a page, each once."""
    shown = [one for one in page.locator(PICTURED).all() if one.is_visible()]
    words = [one.inner_text().strip() for one in shown]
    return "\n".join(dict.fromkeys(word for word in words if word))


def described(png: bytes, words: str) -> bytes:
    """The picture with these words as its description (PNG, iTXt), before its end."""
    data = b"Description\0\0\0\0\0" + words.encode()
    check = zlib.crc32(b"iTXt" + data)
    chunk = struct.pack(">I", len(data)) + b"iTXt" + data + struct.pack(">I", check)
    end = png.rindex(b"IEND") - 4
    return png[:end] + chunk + png[end:]


def words_of(svg: str) -> list[str]:
    """The pieces of text of a terminal's picture."""
    pieces = re.findall(r">([^<>]+)</text>", svg)
    return [html.unescape(piece).replace("\xa0", " ").strip() for piece in pieces]


def description(png: bytes) -> str:
    """What `described` wrote; "" where there is none."""
    at = png.find(b"iTXtDescription\0")
    if at < 0:
        return ""
    (length,) = struct.unpack(">I", png[at - 4 : at])
    return png[at + 4 : at + 4 + length].partition(b"\0\0\0\0\0")[2].decode()


if __name__ == "__main__":
    main()
