"""Each kind of sender, each cure, both families: what was predicted beforehand is what becomes of the mail."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import mailmend
from facts import srs_relay
from mailmend.lab import Attempt, Lab
from mailmend.lab.senders import Kind, kinds

pytestmark = pytest.mark.lab
CURES = ("none", "srs", "srs+pace", "ipv4-for-receiver", "all")
FAMILIES = ("ipv4", "ipv6")
PTR6 = "2001:db8:1::10 PTR relay.example.org."
HELO = "relay.example.org TXT v=spf1 a -all"
FILTER = "/^[^ ]+\\.google\\.com\\. [^ ]+ IN AAAA / IGNORE\n"
# The receiver takes one message in 0.9 s; Postfix counts whole seconds, so two are at least one.
AT_ONCE, SECONDS, DELAY = 1, 0.9, "2s"
PREDICT = """
import json, sys
from mailmend.facts.forward_measured import Sender, mail, ways
from mailmend.facts.forward_outcome import predict
from mailmend.system.live import live
from mailmend.system.probe import Remembering

probe, told = Remembering(live()), {}
for name, (allowed, recipient, sender) in json.load(sys.stdin).items():
    one = Sender(**sender)
    each = [(w, predict(mail(one, probe), w, allowed=allowed)) for w in ways(one, recipient, probe)]
    told[name] = [[w.family, p.verdict, p.cause] for w, p in each]
print(json.dumps(told))
"""


@dataclass(frozen=True)
class Host:
    """*records* published besides the sender's; *main* settings besides the cure's."""

    name: str
    records: tuple[str, ...] = ()
    main: tuple[tuple[str, str], ...] = ()


NAMED = Host("named", (PTR6,))
HOSTS = (
    NAMED,
    Host("fresh"),
    Host("helo-spf", (PTR6, HELO)),
    Host("alters", (PTR6,), (("smtp_header_checks", "regexp:/etc/postfix/alters"),)),
)


def begin(lab: Lab, cure: str, family: str, host: Host) -> None:
    """The relay with this cure, forwarding every kind of sender to a domain of its own at the receiver."""
    main = {"smtp_address_preference": family, **dict(host.main)}
    files = {
        "ipv4_only": FILTER,
        "alters": "/^Subject: (.*)/ REPLACE Subject: [forwarded] ${1}\n",
        "forwards": "".join(f"{to(kind)} someone@{at(kind)}\n" for kind in kinds()),
    }
    if cure in ("ipv4-for-receiver", "all"):
        main["smtp_dns_reply_filter"] = "regexp:/etc/postfix/ipv4_only"
    if cure in ("srs+pace", "all"):
        main["srs-paced_destination_rate_delay"] = DELAY
    if cure in ("none", "ipv4-for-receiver"):
        lab.reset(main={"virtual_alias_maps": "texthash:/etc/postfix/forwards", **main}, files=files)
        lab.relay.start()
    else:
        srs_relay.start(lab, main, paced="pace" in cure or cure == "all", files=files)
    lab.receiver.world("strict")
    lab.dns.publish(*host.records, *(f"{at(kind)} MX 5 gmail-smtp-in.l.google.com." for kind in kinds()))


def to(kind: Kind) -> str:
    return f"{kind.name}@example.org"


def at(kind: Kind) -> str:
    """Pace is kept by destination: with one for each kind, none waits for another."""
    return f"at-{kind.name}.example"


def predicted(lab: Lab) -> dict[str, list[list[str]]]:
    """What mailmend says in the relay before any mail was sent."""
    asked = {}
    for kind in kinds():
        signer = "" if kind.broken else kind.signer
        sender = {
            "envelope": kind.envelope,
            "author": kind.author,
            "signer": signer,
            "signed": bool(kind.signer),
        }
        allowed = AT_ONCE if kind.count > 1 else None
        asked[kind.name] = (allowed, f"someone@{at(kind)}", {**sender, "at_once": kind.count})
    source = {"PYTHONPATH": str(Path(mailmend.__file__).parents[1])}
    done = lab.relay.run([sys.executable, "-c", PREDICT], input=json.dumps(asked), env=source)
    assert done.returncode == 0, done.stderr
    told: dict[str, list[list[str]]] = json.loads(done.stdout)
    return told


def outcomes(lab: Lab) -> dict[str, list[Attempt]]:
    """What became of every kind's mail: the single ones first, then those that come many at once."""
    sent: dict[str, list[str]] = {}
    for kind in sorted(kinds(), key=lambda kind: kind.count):
        if kind.count > 1:
            # The receiver counts from now on, and the single ones are through.
            lab.outcomes([trace for traces in sent.values() for trace in traces])
            lab.receiver.allow(AT_ONCE, SECONDS)
        sent[kind.name] = lab.send(
            to=to(kind), count=kind.count, sender=kind.envelope, author=kind.author, signer=kind.signer,
            broken=kind.broken,
        )  # fmt: skip
    every = lab.outcomes([trace for traces in sent.values() for trace in traces], timeout=60)
    return {name: [every[trace] for trace in traces] for name, traces in sent.items()}


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
        *((cure, family, "named") for cure in ("none", "srs", "ipv4-for-receiver") for family in FAMILIES),
        ("srs+pace", "ipv4", "named"),
        ("all", "ipv6", "named"),
        ("none", "ipv4", "fresh"),
    }
    return [
        pytest.param(*cell, host, marks=() if (*cell, host.name) in quick else pytest.mark.slow)
        for host in HOSTS
        for cell in product(CURES, FAMILIES)
    ]


@pytest.mark.parametrize(("cure", "family", "host"), cells(), ids=lambda part: getattr(part, "name", part))
def test_no_cell_is_wrong(lab: Lab, cure: str, family: str, host: Host) -> None:
    begin(lab, cure, family, host)
    said, found = predicted(lab), outcomes(lab)
    lab.reset()  # no mail is left to the next
    wrong: list[Any] = []
    for kind in kinds():
        attempts = found[kind.name]
        ((way, verdict, why),) = said[kind.name]
        refused = [a for a in attempts if a.status != "sent"]
        became = ("refused", cause(refused[0])) if refused else ("accepted", "")
        same_way = {a.family for a in attempts} == {way} or verdict == "refused"
        if (verdict, why) != became or not same_way:
            wrong.append((kind.name, way, verdict, why, [asdict(a) for a in attempts]))
    assert not wrong
    assert {v for ((_way, v, _why),) in said.values()} <= {"accepted", "refused"}
