"""The command as a test uses it: in a process of its own, in an environment of its own."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

PATIENCE = 120


@dataclass
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Bascule:
    """The command with an environment of its own; nothing of the machine's settings gets in."""

    def __init__(self, data_dir: Path, **settings: str) -> None:
        self.data_dir = data_dir
        self.mark = f"BASCULE_TEST_{uuid4().hex}"
        outside = ("BASCULE_", "POSTGRES_URL", "CONNECTORS_SERVICE_PORT", "PG")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(outside)}
        self.environment = {
            **kept,
            "BASCULE_DATA_DIR": str(data_dir),
            "COLUMNS": "160",
            self.mark: "1",
            **settings,
        }

    def start(self, *arguments: str, **options: Any) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "bascule", *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **options,
        )

    def __call__(self, *arguments: str, **settings: str) -> Said:
        done = subprocess.run(
            [sys.executable, "-m", "bascule", *arguments],
            env={**self.environment, **settings},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def processes(self) -> dict[int, str]:
        """Every process that one of these commands started and that is still there."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                environment = (folder / "environ").read_bytes()
                command = (folder / "cmdline").read_bytes()
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            ours = self.mark.encode() in environment or bytes(self.data_dir) in command
            if ours and state != "Z":
                found[int(folder.name)] = command.replace(b"\0", b" ").decode()
        return found

    def all_gone(self, within: float = 60) -> dict[int, str]:
        """Empty once every process has ended; what is left when that takes too long."""
        give_up = time.monotonic() + within
        while (left := self.processes()) and time.monotonic() < give_up:
            time.sleep(0.1)
        return left


def way_in(site: Any) -> dict[str, str]:
    return {
        "BASCULE_SITE_URL": site.url,
        "BASCULE_SITE_KEY": site.api_key,
        "BASCULE_SITE_SECRET": site.api_secret,
    }


def change(site: Any, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Somebody else at work on the site."""
    request = urllib.request.Request(
        f"{site.url}/api/resource/{path}",
        method=method,
        data=json.dumps(body).encode() if body else None,
        headers={
            "Authorization": f"token {site.api_key}:{site.api_secret}",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)
