"""The oracle of the configuration parsers: a real postconf(1), from the lab's root or from the host."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Postconf = Callable[..., subprocess.CompletedProcess[str]]
REPOSITORY = Path(__file__).parents[2]


def _found() -> tuple[str, dict[str, str]] | None:
    for root in sorted(REPOSITORY.glob(".lab/*/")):
        program = root / "usr/sbin/postconf"
        if program.exists():
            libraries = {str(path.parent) for path in root.glob("usr/lib/*/*.so*")}
            return str(program), {"LD_LIBRARY_PATH": ":".join(sorted(libraries))}
    installed = shutil.which("postconf")
    return (installed, {}) if installed else None


@pytest.fixture(scope="session")
def postconf() -> Postconf:
    """Run the real postconf with these arguments; its text in and out keeps every byte."""
    found = _found()
    if found is None:
        pytest.skip("no postconf here to compare with: the lab's root is not unpacked")
    program, environment = found

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *arguments],
            env={"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **environment},
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=20,
            check=False,
        )

    return run
