"""Rules of the house that no linter knows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import mailmend

SOURCES = sorted(Path(mailmend.__file__).parent.rglob("*.py"))
# `(...)?+`, `(...)*+`, `(...)++`, `(...){2,3}+` and `(?>...)`.
POSSESSIVE_GROUP = re.compile(r"\)(?:[?*+]|\{[0-9,]+\})\+|\(\?>")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_pattern_is_possessive_over_a_group(path: Path) -> None:
    """Python 3.11.2, Debian 12's, does not go back where such a group fails midway; over a class it is right."""
    found = [line for line in path.read_text().splitlines() if POSSESSIVE_GROUP.search(line)]
    assert not found
