"""The command line as it is typed, and what it answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from mailmend.ui import cli

BOUNCE = Path(__file__).parents[2] / "bench" / "bounce.eml"


def mailmend(*argv: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(cli.mailmend, list(argv), input=stdin)


def told(result: Result) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(result.stdout)
    return document
