"""Each folder of tests/worlds is one operator's host: what is there, and what every check should say of it."""

from __future__ import annotations

import importlib

import pytest

from mailmend.road.check import check
from worlds import world


@pytest.mark.parametrize("name", world.names())
def test_the_operator_is_told(name: str) -> None:
    told = world.load(name)
    wanted: dict[str, list[str]] = told.data["expect"]
    modules = {name: importlib.import_module(f"mailmend.checks.{name.replace('-', '_')}") for name in wanted}
    found = check(told.probe(), told.scope, modules)
    for finding in found:
        assert finding.cause in modules[finding.check or ""].CAUSES
        assert "\n" not in finding.summary
    assert {
        name: sorted(f"{f.standing} {f.cause} {f.subject}" for f in found if f.check == name)
        for name in wanted
    } == {name: sorted(lines) for name, lines in wanted.items()}
    for figure in told.data.get("says", []):
        assert any(figure in f.summary for f in found), (figure, [f.summary for f in found])
