"""Whatever a plan says of itself, what is equal to root is carried out for nobody who did not type its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailmend import settings
from mailmend.jobs.change import carry_out
from mailmend.jobs.here import Here
from mailmend.model import Change, FileEdit, Plan, Proposal, Refused
from mailmend.system.probe import Recorded

KNOWN = settings.load()
R = sorted(name for name, group in (*KNOWN.exact.items(), *KNOWN.patterns) if group.tier == "R")
MAIN = "myhostname = mx.example.org\n"
MASTER = "smtp unix - - y - - smtp\n"


def disguised(*files: FileEdit) -> Plan:
    """A plan that speaks of its banner alone."""
    says = Change("setting", "smtpd_banner", None, "hello", "none")
    return Plan(Proposal("hold", "contains", (says,)), (), files, "", "0" * 64)


@pytest.mark.parametrize("name", R)
@pytest.mark.parametrize(
    "typed", [frozenset(), frozenset({"smtpd_banner"})], ids=["nothing typed", "another name"]
)
def test_no_plan_reaches_it(name: str, typed: frozenset[str], tmp_path: Path) -> None:
    here = Here(Recorded({}), state=tmp_path)
    for edit in (
        FileEdit("/etc/postfix/main.cf", MAIN, f"{MAIN}{name} = x\n"),
        FileEdit("/etc/postfix/master.cf", MASTER, f"{MASTER.rstrip()} -o {name}=x\n"),
    ):
        with pytest.raises(Refused, match=f"{name} is equal to root"):
            carry_out(here, disguised(edit), reason="", typed=typed)
    assert not list(tmp_path.iterdir())
