"""Forgeries are tagged first and refused next, while they come in; what anybody stands for is never refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from mailmend.facts.case import gather
from mailmend.lab import Lab, senders
from mailmend.model import CannotLook, Proposal, Scope
from mailmend.remedies import refuse_early, tag_early
from worlds import world

KINDS = {kind.name: kind for kind in senders.kinds()}
DKIM, DMARC = "/etc/opendkim.conf", "/etc/opendmarc.conf"
VERIFIES = "Socket inet:8891@localhost\nAuthservID relay.example.org\n"
SIGNER, JUDGE = (f"{{ inet:127.0.0.1:{port}, default_action=accept }}" for port in (8891, 8893))
# The lab has no root of DNS that opendkim could begin at.
OPERATORS = f"{VERIFIES}Nameservers 192.0.2.1\nMode v\n"
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


def proposed(remedy: Any, dkim: str = VERIFIES, dmarc: str | None = None, **settings: str) -> Proposal:
    """On a host where opendkim verifies, with *settings* in main.cf."""
    files = {"/usr/sbin/opendkim": "", DKIM: dkim}
    if dmarc is not None:
        files |= {"/usr/sbin/opendmarc": "", DMARC: dmarc}
    probe = world.made(files=files, settings={"smtpd_milters": SIGNER, **settings}).probe()
    return remedy.propose(gather((), probe, Scope(recipients=("a@gmail.com",))), probe)  # type: ignore[no-any-return]


def why(proposal: Proposal) -> str:
    return "; ".join(f"{o.reason}: {o.next_step}" for o in proposal.objections if o.blocking)


# ---- where it must hold back --------------------------------------------------------------


@pytest.mark.parametrize("remedy", [tag_early, refuse_early], ids=lambda remedy: remedy.ID)
@pytest.mark.parametrize(
    ("dkim", "milters"),
    [
        (VERIFIES, ""),
        (f"{VERIFIES}Mode s\n", SIGNER),
        (f"{VERIFIES}AuthservID other.example\n", SIGNER),
        ("Socket inet:8891@localhost\n", SIGNER),
    ],
    ids=["not-asked", "signs-only", "under-another-name", "under-no-name"],
)
def test_where_nobody_verifies_signatures_no_forward_is_judged(remedy: Any, dkim: str, milters: str) -> None:
    proposal = proposed(remedy, dkim, "", smtpd_milters=milters)
    assert "opendkim verifies no signatures here" in why(proposal)


def test_an_opendmarc_that_refuses_for_good_is_not_begun_with() -> None:
    told = why(proposed(tag_early, dmarc="RejectFailures true\n"))
    assert "set RejectFailures false" in told


def test_own_people_of_the_network_are_not_judged() -> None:
    told = why(
        proposed(
            tag_early, dmarc="", mynetworks="127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128 198.51.100.0/24"
        )
    )
    assert "IgnoreHosts /etc/opendmarc/ignore.hosts" in told
    assert "a line each: 127.0.0.1 | 198.51.100.0/24" in told


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


def config(lab: Lab) -> dict[str, str]:
    names = lab.relay.run(["find", "/etc/postfix", "-type", "f", "!", "-name", "*.tmp"]).stdout.split()
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
def test_tagged_first_then_refused_and_both_undone_to_the_byte(verifying: Lab) -> None:
    relay, before = verifying.relay, config(verifying)
    for remedy in ("tag-early", "refuse-early"):
        assert refusal(verifying, remedy).startswith("opendmarc is not installed; apt-get install opendmarc")
    relay.install("opendmarc")
    lines = re.search(
        r"add the lines: (.*) and run systemctl restart opendmarc", refusal(verifying, "tag-early")
    )
    assert lines
    relay.write(DMARC, relay.read(DMARC) + lines[1].replace(" | ", "\n") + "\n")
    assert "opendmarc does not run" in refusal(verifying, "tag-early")
    relay.start_daemon("opendmarc", 8893)
    assert refusal(verifying, "refuse-early").startswith("nothing is tagged yet")
    assert config(verifying) == before

    assert fix(verifying, "tag-early")["state"] == "kept"
    assert offered(verifying, "neither-reject") == ""
    assert "dmarc=fail (p=reject" in verifying.elsewhere.wait_mailbox(1)[-1]
    tagged = config(verifying)

    assert fix(verifying, "refuse-early")["state"] == "kept"
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
