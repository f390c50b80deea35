"""Forgeries are tagged first and refused next, while they come in; what anybody stands for is never refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from mailmend.facts.case import gather
from mailmend.lab import Lab, senders
from mailmend.model import CannotLook, Proposal, Scope
from mailmend.parse import opendkim
from mailmend.remedies import refuse_early, tag_early
from worlds import world

KINDS = {kind.name: kind for kind in senders.kinds()}
DKIM, DMARC = "/etc/opendkim.conf", "/etc/opendmarc.conf"
VERIFIES = "Socket inet:8891@localhost\nAuthservID relay.example.org\n"
SIGNER, JUDGE = (f"{{ inet:127.0.0.1:{port}, default_action=accept }}" for port in (8891, 8893))
# The lab has no root of DNS that opendkim could begin at.
OPERATORS = "Socket inet:8891@localhost\nNameservers 192.0.2.1\nMode v\n"
TAKEN = (
    "both-reject",
    "dkim-reject",
    "spf-reject",
    "broken-reject",
    "neither-none",
    "list-munged",
    "null-signed",
)
REFUSED = ("neither-reject", "list-footer", "null-strict")


def proposed(
    remedy: Any,
    dkim: str = VERIFIES,
    dmarc: str | None = None,
    files: dict[str, str] | None = None,
    others: Sequence[int] = (),
    **settings: str,
) -> Proposal:
    """On a host where opendkim verifies, with *settings* in main.cf; *others* are ports that somebody listens on."""
    files = {"/usr/sbin/opendkim": "", DKIM: dkim, **(files or {})}
    if dmarc is not None:
        files |= {"/usr/sbin/opendmarc": "", DMARC: dmarc}
    told = {"smtpd_milters": SIGNER, **settings}
    probe = world.made(files=files, settings=told, running={"others": list(others)}).probe()
    return remedy.propose(gather((), probe, Scope(recipients=("a@gmail.com",))), probe)  # type: ignore[no-any-return]


def why(proposal: Proposal) -> str:
    return "; ".join(f"{o.reason}: {o.next_step}" for o in proposal.objections if o.blocking)


# ---- where it must hold back --------------------------------------------------------------


@pytest.mark.parametrize("remedy", [tag_early, refuse_early], ids=lambda remedy: remedy.ID)
@pytest.mark.parametrize(
    ("dkim", "milters", "told"),
    [
        (VERIFIES, "", "opendkim verifies no signatures here"),
        (f"{VERIFIES}AuthservID other.example\n", SIGNER, "writes what it verified under other.example"),
    ],
    ids=["not-asked", "under-another-name"],
)
def test_where_nobody_verifies_signatures_no_forward_is_judged(
    remedy: Any, dkim: str, milters: str, told: str
) -> None:
    proposal = proposed(remedy, dkim, "", smtpd_milters=milters)
    assert told in why(proposal)
    assert proposal.changes == () or remedy is refuse_early


@pytest.mark.parametrize(
    "dkim", [f"{VERIFIES}Mode s\n", "Socket inet:8891@localhost\n"], ids=["signs-only", "no-name"]
)
def test_a_verifier_that_says_nothing_is_told_to_first(dkim: str) -> None:
    """Nothing is refused by what it does not say."""
    assert "nothing is tagged yet" in why(
        proposed(refuse_early, dkim, "", smtpd_milters=f"{SIGNER}, {JUDGE}")
    )
    proposal = proposed(tag_early, dkim, "")
    assert not why(proposal)
    read = opendkim.settings(next(c.after for c in proposal.changes if c.target == DKIM) or "")
    assert (read["authservid"], read.get("mode", "sv")) == ("relay.example.org", "sv")


def test_an_opendmarc_that_refuses_for_good_is_not_begun_with() -> None:
    told = why(proposed(tag_early, dmarc="RejectFailures true\n"))
    assert "set RejectFailures false" in told


def test_own_people_of_the_network_are_not_judged() -> None:
    networks = {"mynetworks": "127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128 198.51.100.0/24"}
    told = why(proposed(tag_early, dmarc="", **networks))
    assert "write into /etc/opendmarc/ignore.hosts a line each: 127.0.0.1 | 198.51.100.0/24" in told
    files = {"/etc/opendmarc/ignore.hosts": "127.0.0.1\n198.51.100.0/24\n"}
    listed = proposed(tag_early, dmarc="", files=files, **networks)
    assert not why(listed)
    after = next(c.after for c in listed.changes if c.target == DMARC)
    assert "IgnoreHosts /etc/opendmarc/ignore.hosts" in (after or "").splitlines()


def test_the_place_of_somebody_else_is_not_taken() -> None:
    told = why(proposed(tag_early, dmarc="", others=[8893]))
    assert "somebody else listens on port 8893, where opendmarc would" in told


@pytest.mark.parametrize(
    ("header", "refused"),
    [
        ("relay.example.org; dmarc=fail (p=reject dis=none) header.from=x.example", True),
        ("relay.example.org; dmarc=fail (p=quarantine dis=none) header.from=x.example", False),
        ("relay.example.org; dmarc=pass (p=reject dis=none) header.from=x.example", False),
        ("relayXexample.org; dmarc=fail (p=reject dis=none) header.from=x.example", False),
        ("relay.example.org; dkim=fail; x=dmarc=fail (p=reject )", False),
    ],
)
def test_only_what_this_host_found_and_its_author_asks_for_is_refused(header: str, refused: bool) -> None:
    line = refuse_early.text("relay.example.org").splitlines()[1]
    pattern = line[1 : line.rindex("/ REJECT")]
    assert bool(re.search(pattern, f"Authentication-Results: {header}", re.IGNORECASE)) is refused


# ---- on real Postfix, with the distribution's opendkim and opendmarc ----------------------


def fix(lab: Lab, remedy: str, code: int = 0) -> dict[str, Any]:
    done = lab.relay.mailmend("--json", "fix", "--remedy", remedy, "--yes", "--confirm")
    assert done.returncode == code, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def refusal(lab: Lab, remedy: str) -> str:
    told = fix(lab, remedy, code=4)["error"]
    return f"{told['reason']}; {told['next_step']}"


def judged(lab: Lab) -> tuple[bool | None, list[str]]:
    """Whether forgeries are refused, as `check forwarding` tells it, and what it says may break signatures."""
    told = json.loads(lab.relay.mailmend("--json", "check", "forwarding").stdout)["doors"]
    return told["judged"], told["unseen"]


def config(lab: Lab) -> dict[str, str]:
    names = lab.relay.run(
        ["find", "/etc/postfix", DKIM, DMARC, "-type", "f", "!", "-name", "*.tmp"]
    ).stdout.split()
    return {name: lab.relay.read(name) for name in names}


def undo(lab: Lab) -> None:
    done = lab.relay.mailmend("--json", "undo")
    assert json.loads(done.stdout)["identical"], done.stdout + done.stderr


def offered(lab: Lab, name: str, **other: Any) -> str:
    """What the relay says to a message of that kind of sender: "" where it takes it."""
    kind = KINDS[name]
    how = {
        "sender": kind.envelope,
        "author": kind.author,
        "signer": kind.signer,
        "broken": kind.broken,
        **other,
    }
    try:
        lab.outcomes(lab.send(to="else@example.org", count=1, **how))
    except CannotLook as refused:
        return refused.reason
    return ""


@pytest.fixture
def verifying(lab: Lab) -> Iterator[Lab]:
    """A relay whose opendkim verifies what comes in."""
    lab.reset(main={"inet_protocols": "ipv4", "smtpd_milters": SIGNER})
    relay = lab.relay
    relay.install("opendkim")
    shipped = relay.read(DKIM).replace("TrustAnchorFile", "#")
    relay.write(DKIM, shipped + OPERATORS)
    relay.start_daemon("opendkim", 8891)
    relay.start()
    yield lab
    lab.dns.mode("ok")
    lab.reset()


@pytest.mark.lab
@pytest.mark.slow  # opendkim and opendmarc take five seconds each to end
def test_tagged_first_then_refused_and_both_undone_to_the_byte(verifying: Lab) -> None:
    relay, before = verifying.relay, config(verifying)
    for remedy in ("tag-early", "refuse-early"):
        assert refusal(verifying, remedy).startswith("opendmarc is not installed; apt-get install opendmarc")
    relay.install("opendmarc")
    assert refusal(verifying, "refuse-early").startswith("nothing is tagged yet")
    before = config(verifying)

    assert fix(verifying, "tag-early")["state"] == "kept"
    assert offered(verifying, "neither-reject") == ""
    assert "dmarc=fail (p=reject" in verifying.elsewhere.wait_mailbox(1)[-1]
    tagged = config(verifying)
    assert judged(verifying) == (False, [])

    assert fix(verifying, "refuse-early")["state"] == "kept"
    assert judged(verifying) == (True, [])
    assert {name: offered(verifying, name) for name in TAKEN} == dict.fromkeys(TAKEN, "")
    told = {name: offered(verifying, name) for name in REFUSED}
    assert all("451 4.7.1 Neither SPF nor DKIM" in said for said in told.values()), told
    # A forward of somebody else's: SPF says no, and the author's signature has survived.
    verifying.dns.publish("forwarder.example TXT v=spf1 -all")
    assert offered(verifying, "both-reject", sender="srs@forwarder.example") == ""
    # What a stranger writes of himself in our name counts for nothing.
    forged = "hello\nAuthentication-Results: relay.example.org; dkim=pass header.d=neither-reject.example"
    assert "451 4.7.1" in offered(verifying, "neither-reject", subject=forged)

    assert fix(verifying, "refuse-early")["state"] == "in-place"
    undo(verifying)
    assert config(verifying) == tagged
    assert offered(verifying, "neither-reject") == ""
    undo(verifying)
    assert config(verifying) == before
