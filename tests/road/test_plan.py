"""From what was measured to the plan that is shown: the choice, the files, the difference, the digest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mailmend import catalogue
from mailmend.facts.case import gather
from mailmend.model import CannotLook, Finding, Plan, Refused, Scope
from mailmend.road.check import check
from mailmend.road.plan import plan
from worlds import world

MAIN = "# the operator's own words\nmyhostname = relay.example.org\ninet_protocols = all   \n"
MASTER = "smtp unix - - n - - smtp\nrelay unix - - n - - smtp\n"
REFUSED6 = {"family": "ipv6", "status": "bounced", "count": 20, "dsn": "5.7.1", "text": (
    "550-5.7.1 [2001:db8:1::10] this message does not meet IPv6 sending guidelines "
    "550 5.7.1 https://support.google.com/mail/?p=IPv6AuthError a1si2 - gsmtp"
)}  # fmt: skip
REFUSED4 = {"family": "ipv4", "status": "bounced", "count": 3, "dsn": "5.7.26", "text": (
    "550-5.7.26 Your email has been blocked because the sender is unauthenticated. Gmail requires all senders to "
    "authenticate with either SPF or DKIM. 550 5.7.26 a1si2 - gsmtp"
)}  # fmt: skip
SENT4 = {"family": "ipv4", "status": "sent", "count": 20}
BOUNCING: dict[str, Any] = {
    "dns": {"2001:db8:1::10 PTR": []},
    "log": {"deliveries": [SENT4, REFUSED6]},
    "files": {"/etc/postfix/main.cf": MAIN, "/etc/postfix/master.cf": MASTER},
}


def planned(remedy: str | None = None, findings: tuple[Finding, ...] | None = None, **changes: Any) -> Plan:
    probe = world.made(**{**BOUNCING, **changes}).probe()
    known = catalogue.load()
    wanted = {name: known.checks[name] for name in ("receiver-log", "ptr", "spf")}
    seen = check(probe, Scope(), wanted) if findings is None else findings
    return plan(gather(seen, probe, Scope()), seen, probe, known.remedies, remedy=remedy)


# ---- nothing is done ----------------------------------------------------------------------


@pytest.mark.parametrize("standing", ["reported", "unknown", "cleared"])
def test_only_what_was_measured_leads_to_a_plan(standing: Any) -> None:
    said = Finding("ipv6-ptr-or-auth", "2001:db8:1::10", standing, "Gmail says so")
    made = planned(findings=(said,))
    assert (made.chosen, made.files) == (None, ())


def test_a_resolver_that_is_dead_leads_to_no_plan() -> None:
    with pytest.raises(CannotLook, match="does not answer"):
        planned(fails={"Records": "resolver does not answer"})


def test_where_ipv4_is_refused_too_nothing_is_applied_and_the_reason_names_the_cure() -> None:
    made = planned(log={"deliveries": [SENT4, REFUSED6, REFUSED4]})
    assert made.chosen is None
    assert "SRS" in made.reason


def test_an_unknown_remedy_is_refused_with_those_there_are() -> None:
    with pytest.raises(Refused, match="ipv4-for-receiver"):
        planned("ipv5")


def test_the_kludge_is_never_the_choice_of_mailmend() -> None:
    """Everything narrower objects, and still nobody closes a listener unasked."""
    made = planned(
        defaults={"mail_version": "3.7.11"},
        settings={
            "smtp_tls_security_level": "dane",
            "inet_interfaces": "127.0.0.1, 192.0.2.10, [2001:db8:1::10]",
        },
    )
    assert made.chosen is None


# ---- what is done -------------------------------------------------------------------------


def test_the_narrowest_remedy_is_chosen_and_the_cure_shown_beside_it() -> None:
    made = planned()
    assert made.chosen is not None
    assert made.chosen.remedy == "ipv4-for-receiver"
    assert made.chosen.effect == "contains"
    assert made.activation == "reload"
    assert [p.remedy for p in made.pending] == ["dns-records"]
    assert {p.remedy for p in made.declined} >= {"ipv4-client", "ipv4-only", "ipv4-transport"}


def test_the_difference_touches_nothing_else() -> None:
    made = planned("ipv4-only")
    assert [
        line for line in made.diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ] == [
        "-inet_protocols = all   ",
        "+inet_protocols = ipv4",
    ]


def test_a_table_comes_before_the_setting_that_names_it() -> None:
    made = planned("ipv4-for-receiver")
    assert [f.path for f in made.files] == ["/etc/postfix/ipv4_only_receivers", "/etc/postfix/main.cf"]


def test_dane_on_an_old_version_chooses_the_next_one_and_says_why() -> None:
    made = planned(settings={"smtp_tls_security_level": "dane"})
    assert made.chosen is not None
    assert made.chosen.remedy == "ipv4-client"
    assert "DANE" in made.reason


def test_the_digest_covers_every_byte() -> None:
    one, same = planned("ipv4-only"), planned("ipv4-only")
    other = planned("ipv4-only", files={**BOUNCING["files"], "/etc/postfix/main.cf": MAIN + "#\n"})
    assert one.digest == same.digest
    assert one.digest != other.digest
    assert replace(one, diff="").digest == one.digest


def test_a_configuration_without_a_final_newline_gets_a_difference_that_patch_understands() -> None:
    made = planned("ipv4-for-receiver", files={**BOUNCING["files"], "/etc/postfix/main.cf": "a = b"})
    assert "\\ No newline at end of file" in made.diff
