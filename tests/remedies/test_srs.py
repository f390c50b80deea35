"""An operator is led to SRS step by step; applied, forwards are accepted, and undone, every byte is as before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from facts import srs_relay
from mailmend.lab import Lab

pytestmark = pytest.mark.lab
MX, _ = srs_relay.RECORDS
# Of the addresses that forwards really leave from: the relay of these stories has no IPv6.
SPF_IPV4 = "srs.example.org TXT v=spf1 ip4:192.0.2.10 -all"


def fix(lab: Lab, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = lab.relay.mailmend("--json", "fix", "--remedy", "srs", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def config(lab: Lab) -> dict[str, str]:
    """Every file that the remedy may write, and what lies beside them."""
    places = ["/etc/postfix", "/etc/default"]
    names = lab.relay.run(["find", *places, "-type", "f", "!", "-name", "*.tmp"]).stdout.split()
    return {name: lab.relay.read(name) for name in names}


# Its domain asks to reject what neither SPF nor DKIM stands for, and signs nothing.
UNSIGNED = "alice@spf-reject.example"


@pytest.fixture
def strict(lab: Lab) -> Iterator[Lab]:
    """A fresh relay that forwards, over IPv4, to a receiver that asks for SPF or DKIM there too."""
    lab.reset(main={"inet_protocols": "ipv4"})
    lab.receiver.world("strict")
    yield lab
    lab.reset()


def ready(lab: Lab) -> Lab:
    """postsrsd installed and set, its records published."""
    lab.dns.publish(*srs_relay.RECORDS)
    srs_relay.postsrsd(lab.relay)
    lab.relay.start()
    return lab


def stale(lab: Lab) -> Lab:
    """As ready(), but what runs was started before its settings were made."""
    lab.dns.publish(*srs_relay.RECORDS)
    lab.relay.install("postsrsd")
    lab.relay.start_daemon("postsrsd", 10001, 10002)
    defaults = lab.relay.read("/etc/default/postsrsd")
    lab.relay.write("/etc/default/postsrsd", f"{defaults}SRS_DOMAIN={srs_relay.DOMAIN}\n")
    lab.relay.start()
    return lab


# ---- what must not happen -----------------------------------------------------------------


def test_each_thing_that_is_missing_is_named_and_nothing_is_changed(strict: Lab) -> None:
    relay = strict.relay
    relay.start()
    before = config(strict)

    def refusal() -> str:
        told = fix(strict, "--yes", code=4)["error"]
        return f"{told['reason']}; {told['next_step']}"

    assert refusal() == "postsrsd is not installed; apt-get install postsrsd"
    relay.install("postsrsd")
    before = config(strict)
    assert "systemctl start postsrsd" in refusal()
    relay.start_daemon("postsrsd", 10001, 10002)
    assert refusal().endswith(f"publish: {MX} | {SPF_IPV4}")
    strict.dns.publish(MX)
    assert refusal().endswith(f"publish: {SPF_IPV4}")
    assert config(strict) == before


def test_where_own_domains_cannot_be_listed_it_is_not_set_up(strict: Lab) -> None:
    strict.relay.reset(
        main={"inet_protocols": "ipv4", "virtual_mailbox_domains": "regexp:/etc/postfix/ours"},
        files={"ours": "/^boxes[0-9]\\.example\\.org$/ x\n"},
    )
    told = fix(ready(strict), "--yes", code=4)["error"]
    assert "some domains of this host stand in regexp:/etc/postfix/ours" in told["reason"]


def test_where_dns_does_not_answer_nothing_is_changed(strict: Lab) -> None:
    before = config(ready(strict))
    strict.dns.mode("servfail")
    fix(strict, "--yes", code=3)
    strict.dns.mode("ok")
    assert config(strict) == before


def test_a_daemon_that_was_not_restarted_has_it_undone(strict: Lab) -> None:
    """Its settings name the domain, what runs is older: the proof sees what really leaves."""
    before = config(stale(strict))
    done = strict.relay.mailmend("--json", "fix", "--remedy", "srs", "--yes")
    assert done.returncode == 4, done.stdout
    assert config(strict) == before


def test_where_every_envelope_is_rewritten_already_it_is_not_done_twice(strict: Lab) -> None:
    usual = {"sender_canonical_maps": "tcp:127.0.0.1:10001", "sender_canonical_classes": "envelope_sender"}
    strict.relay.reset(main={"inet_protocols": "ipv4", **usual})
    told = fix(ready(strict), "--yes", code=4)["error"]
    assert told["reason"].startswith("sender_canonical_maps = tcp:127.0.0.1:10001 rewrites envelopes already")


def test_a_route_in_transport_maps_would_go_past_it(strict: Lab) -> None:
    strict.relay.reset(main={"inet_protocols": "ipv4", "transport_maps": "inline:{gmail.com=smtp:}"})
    told = fix(ready(strict), "--yes", code=4)["error"]
    assert "transport_maps" in told["reason"]


# ---- what must happen ---------------------------------------------------------------------


def test_it_is_applied_and_undone_to_the_byte(strict: Lab) -> None:
    ready(strict)
    before = config(strict)
    (refused,) = strict.outcomes(strict.send(count=1)).values()
    assert refused.status == "bounced"
    assert fix(strict, "--yes", "--confirm")["state"] in ("kept", "applied")
    outcomes = strict.outcomes(strict.send(count=3)).values()
    assert {o.status for o in outcomes} == {"sent"}
    assert strict.receiver.received()[-1].mail_from.endswith("=sender.example=alice@srs.example.org")
    (own,) = strict.outcomes(strict.send(to="postmaster@relay.example.org", count=1)).values()
    assert own.text == "delivered to mailbox"
    assert fix(strict, "--yes")["state"] == "in-place"
    undone = strict.relay.mailmend("--json", "undo")
    assert undone.returncode == 0, undone.stdout + undone.stderr
    assert json.loads(undone.stdout)["identical"]
    assert config(strict) == before
    (refused,) = strict.outcomes(strict.send(count=1)).values()
    assert refused.status == "bounced"


def test_domains_in_tables_of_text_are_own_domains(strict: Lab) -> None:
    strict.relay.reset(
        main={
            "inet_protocols": "ipv4",
            "relay_domains": "texthash:/etc/postfix/ours",
            "mynetworks": "203.0.113.0/24",
        },
        files={"ours": "# people of ours\nboxes.example.org x\n"},
    )
    fix(ready(strict), "--yes", "--confirm")
    strict.outcomes(strict.send(to="friend@elsewhere.example", count=1, sender="anna@boxes.example.org"))
    assert strict.elsewhere.received()[-1].mail_from == "anna@boxes.example.org"


def test_alias_domains_that_only_their_table_names_stay_own_domains(strict: Lab) -> None:
    """Without virtual_alias_domains in main.cf, Postfix takes the keys of virtual_alias_maps."""
    strict.relay.reset(
        main={"inet_protocols": "ipv4", "virtual_alias_maps": "texthash:/etc/postfix/forwards"},
        files={"forwards": "example.org whatever\nuser@example.org someone@gmail.com\n"},
        remove=["virtual_alias_domains"],
    )
    fix(ready(strict), "--yes", "--confirm")
    outcomes = strict.outcomes([*strict.send(count=1), *strict.send(count=1, sender="anna@example.org")])
    assert {o.status for o in outcomes.values()} <= {"sent", "bounced"}
    own, rewritten = sorted((message.mail_from for message in strict.receiver.received()), reverse=True)
    assert own == "anna@example.org"
    assert rewritten.startswith("SRS0=")
    bounce = strict.send(to=rewritten, count=1, sender="")
    strict.outcomes(bounce)
    assert strict.sender.received()[-1].recipients == ("alice@sender.example",)


# ---- the whole way of a newcomer -----------------------------------------------------------------


def test_check_then_fix_lead_from_bounces_to_accepted_forwards(strict: Lab) -> None:
    """What is named is done, word by word; nothing else is."""
    relay = strict.relay
    relay.start()
    before = config(strict)
    sent = strict.outcomes(strict.send(count=4))
    assert {each.status for each in sent.values()} == {"bounced"}
    checked = json.loads(relay.mailmend("--json", "check").stdout)
    assert "forwarded-not-rewritten" in {
        f["cause"] for f in checked["findings"] if f["standing"] == "measured"
    }

    def said() -> str:
        told = json.loads(relay.mailmend("--json", "fix", "--yes").stdout)
        assert told["state"] == "nothing", told
        return str(told["reason"])

    assert said().endswith("postsrsd is not installed; apt-get install postsrsd")
    relay.install("postsrsd")
    # apt-get starts it too; and Postfix's own domain is what it rewrites into.
    relay.start_daemon("postsrsd", 10001, 10002)
    before = config(strict)
    assert said().endswith(f"publish: {MX} | {SPF_IPV4}")
    assert config(strict) == before
    strict.dns.publish(MX, SPF_IPV4)
    fixed = json.loads(relay.mailmend("--json", "fix", "--yes", "--confirm").stdout)
    assert (fixed["state"], fixed["plan"]["remedy"]) == ("kept", "srs"), fixed
    sent = strict.outcomes(strict.send(count=4))
    assert {each.status for each in sent.values()} == {"sent"}
    checked = json.loads(relay.mailmend("--json", "check").stdout)
    # What left before it was set up is over.
    assert [f["standing"] for f in checked["findings"] if f["cause"] == "forwarded-not-rewritten"] == [
        "cleared"
    ]
    assert not any("srs.example.org" in f["summary"] for f in checked["findings"] if f["check"] == "dkim")
    # SRS does not mend DMARC (postsrsd's issue 82): whose mail stays refused is told before, and by name after it.
    assert any("p=reject" in cost for cost in fixed["plan"]["cost"])
    sent = strict.outcomes(strict.send(count=1, sender=UNSIGNED, author=UNSIGNED))
    assert {each.status for each in sent.values()} == {"bounced"}
    told = json.loads(relay.mailmend("--json", "check", "forwarding", "--senders").stdout)["senders"]
    verdicts = {row["sender"]: (row["verdict"], row["another_way"]) for row in told}
    assert verdicts == {"sender.example": ("accepted", False), "spf-reject.example": ("refused", True)}
    undone = json.loads(relay.mailmend("--json", "undo").stdout)
    assert undone["identical"]
    assert config(strict) == before
