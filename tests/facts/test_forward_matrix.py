"""Each kind of sender, each cure, both families: what was predicted beforehand is what becomes of the mail."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import pytest

from mailmend.jobs.foretelling import foretold
from mailmend.jobs.forwarding_stage import CURES, FAMILIES, NAMED, begin, measured, outcomes
from mailmend.lab import Attempt, Lab
from mailmend.lab.senders import kinds

pytestmark = pytest.mark.lab
HELO = "relay.example.org TXT v=spf1 a -all"
ALTERS = {"alters": "/^Subject: (.*)/ REPLACE Subject: [forwarded] ${1}\n"}


@dataclass(frozen=True)
class Host:
    """*records* published besides the sender's; *main* settings besides the cure's."""

    name: str
    records: tuple[str, ...] = ()
    main: tuple[tuple[str, str], ...] = ()


HOSTS = (
    Host("named", NAMED),
    Host("fresh"),
    Host("helo-spf", (*NAMED, HELO)),
    Host("alters", NAMED, (("smtp_header_checks", "regexp:/etc/postfix/alters"),)),
)


WORDS = {
    "does not meet IPv6 sending guidelines": "ipv6-ptr-or-auth",
    "does not have a": "ptr-missing",
    "domain's DMARC policy": "dmarc-reject",
    "the sender is unauthenticated": "unauthenticated",
    "421-4.7.28": "rate-limited-reputation",
}


def cause(attempt: Attempt) -> str:
    """What the receiver said, read here by its words."""
    return next((cause for words, cause in WORDS.items() if words in attempt.text), attempt.text)


def cells() -> list[Any]:
    """Every cure over each family on every host; what takes long, and the odder hosts, only where asked for."""
    quick = {
        *((cure, family, "named") for cure in ("none", "srs") for family in FAMILIES),
        ("none", "ipv4", "fresh"),
    }
    return [
        pytest.param(*cell, host, marks=() if (*cell, host.name) in quick else pytest.mark.slow)
        for host in HOSTS
        for cell in product(CURES, FAMILIES)
    ]


@pytest.mark.parametrize(("cure", "family", "host"), cells(), ids=lambda part: getattr(part, "name", part))
def test_no_cell_is_wrong(lab: Lab, cure: str, family: str, host: Host) -> None:
    begin(lab, cure, family, records=host.records, main=dict(host.main), files=ALTERS)
    said = {name: foretold(seen) for name, seen in measured(lab).items()}
    found = outcomes(lab)
    lab.reset()  # no mail is left to the next
    wrong: list[Any] = []
    for kind in kinds():
        attempts = found[kind.name]
        ((way, prediction),) = said[kind.name]
        verdict, why = prediction.verdict, prediction.cause
        refused = [a for a in attempts if a.status != "sent"]
        became = ("refused", cause(refused[0])) if refused else ("accepted", "")
        same_way = {a.family for a in attempts} == {way.family} or verdict == "refused"
        if (verdict, why) != became or not same_way:
            wrong.append((kind.name, way.family, verdict, why, [asdict(a) for a in attempts]))
    assert not wrong
    assert {told.verdict for ((_, told),) in said.values()} <= {"accepted", "refused"}
