"""What mailmend knows holds together, and what names something that is not there is told with its file."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from mailmend import catalogue
from mailmend.catalogue import Catalogue, CatalogueError


def altered(**parts: Any) -> Any:
    """The installed catalogue with *parts* in place of its own."""
    real = catalogue.load()
    names = ("causes", "receivers", "checks", "remedies")
    return SimpleNamespace(**{name: parts.get(name, getattr(real, name)) for name in names})


def test_all_that_is_installed_holds_together() -> None:
    catalogue.validate(Catalogue())


def test_ids_are_the_names_of_the_files() -> None:
    known = catalogue.load()
    assert {"receiver-log", "source-address", "ptr"} <= set(known.checks)
    assert {"ipv4-for-receiver", "dns-records"} <= set(known.remedies)
    assert known.causes["ptr-missing"].id == "ptr-missing"


def broken() -> dict[str, tuple[Any, str]]:
    known = catalogue.load()
    causes, page = dict(known.causes), known.causes["ptr-missing"]
    google = next(receiver for receiver in known.receivers if receiver.id == "google")
    rule = google.rules[0]
    return {
        "a page names no check": (
            altered(causes={**causes, "x": replace(page, checks=("weather",))}),
            "causes/x.md: there is no check weather",
        ),
        "a page names no remedy": (
            altered(causes={**causes, "x": replace(page, forwarded_remedies=("prayer",))}),
            "causes/x.md: there is no remedy prayer",
        ),
        "a rule names no cause": (
            altered(receivers=(replace(google, rules=(replace(rule, cause="bad-luck"),)),)),
            f"rule {rule.id}: there is no cause bad-luck",
        ),
        "a rule is ambiguous with no cause": (
            altered(receivers=(replace(google, rules=(replace(rule, ambiguous=("bad-luck",)),)),)),
            "there is no cause bad-luck",
        ),
        "an example misses": (
            altered(receivers=(replace(google, rules=(replace(rule, examples=("550 hello",)),)),)),
            "is not matched",
        ),
        "a check establishes no cause": (
            altered(checks={**known.checks, "new-one": SimpleNamespace(CAUSES=("bad-luck",))}),
            "checks/new_one.py: there is no cause bad-luck",
        ),
        "a remedy heals no cause": (
            altered(remedies={**known.remedies, "new-one": SimpleNamespace(HEALS=("bad-luck",))}),
            "remedies/new_one.py: there is no cause bad-luck",
        ),
    }


BROKEN = list(broken())


@pytest.mark.parametrize("name", BROKEN)
def test_what_names_nothing_that_exists_is_told_with_its_file(name: str) -> None:
    wrong, reason = broken()[name]
    with pytest.raises(CatalogueError, match=reason):
        catalogue.validate(wrong)


def test_explaining_loads_no_check_no_remedy_and_no_heavy_library() -> None:
    program = (
        "import sys; from mailmend.jobs.explain import explain;"
        "explain([('x', b'550 5.7.1 does not meet IPv6 sending guidelines - gsmtp')]);"
        "print(*sorted(m for m in sys.modules if m.split('.')[0] in ('dns', 'dkim', 'rich', 'msgspec', 'click')"
        " or m.startswith(('mailmend.checks', 'mailmend.remedies', 'mailmend.system'))))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    assert ran.stdout.split() == []
