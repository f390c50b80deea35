"""What opendkim and opendmarc are set to beside: nobody whose signature holds is refused, and forgeries are."""

from __future__ import annotations

import re

import pytest

from mailmend.facts.forward_passage import doors
from mailmend.parse import milter_conf, opendkim
from mailmend.remedies import refuse_early, tag_early
from remedies.test_refuse_early import DKIM, DMARC, JUDGE, SIGNER, VERIFIES, proposed, why
from worlds import world

BOTH = f"{SIGNER}, {JUDGE}"
TAGS = (
    "Socket inet:8893@localhost\nAuthservID relay.example.org\nTrustedAuthservIDs relay.example.org\n"
    "SPFSelfValidate true\nIgnoreAuthenticatedClients true\n"
)


@pytest.mark.parametrize("word", ["yes", "True", "1"])
def test_signatures_that_opendmarc_does_not_hear_of_refuse_nobody(word: str) -> None:
    """opendmarc 1.4.2 takes `relay.example.org/1A2B3C` for somebody else's word: a good signature counts nothing."""
    dkim = f"{VERIFIES}AuthservIDWithJobID {word}\n"
    assert "nothing is tagged yet" in why(
        proposed(refuse_early, dkim, TAGS, others=[8893], smtpd_milters=BOTH)
    )
    tagged = proposed(tag_early, dkim, TAGS, others=[8893], smtpd_milters=BOTH)
    after = next(c.after for c in tagged.changes if c.target == DKIM) or ""
    assert milter_conf.ours_alone(DKIM, dkim, after)
    assert opendkim.settings(after)["authservidwithjobid"] == "no"


def test_a_signer_that_says_its_name_alone_is_no_reason_to_wait() -> None:
    dkim = f"{VERIFIES}AuthservIDWithJobID no\n"
    assert DKIM not in [
        c.target for c in proposed(tag_early, dkim, TAGS, others=[8893], smtpd_milters=BOTH).changes
    ]


@pytest.mark.parametrize(
    ("dmarc", "checks", "refused"),
    [
        (TAGS, "", False),
        (TAGS, "regexp:/x", True),
        (TAGS, "regexp:/y", False),
        (f"{TAGS}RejectFailures true\n", "", True),
    ],
    ids=["tagged", "by-postfix", "other-table", "by-itself"],
)
def test_whether_forgeries_are_refused_is_told_as_it_is(dmarc: str, checks: str, refused: bool) -> None:
    said = (
        "Authentication-Results: relay.example.org; dmarc=fail (p=reject dis=none) header.from=sender.example"
    )
    host = world.made(
        files={"/usr/sbin/opendkim": "", DKIM: VERIFIES, "/usr/sbin/opendmarc": "", DMARC: dmarc},
        settings={"smtpd_milters": BOTH, "milter_header_checks": checks},
        tables={"regexp:/x": {said: "REJECT 4.7.1 no"}, "regexp:/y": {said: "WARN"}},
    )
    found = doors(host.probe())
    assert (found.judged, found.unseen) == (refused, ())


def test_opendkim_alone_refuses_no_forgeries_and_another_milter_may() -> None:
    files = {"/usr/sbin/opendkim": "", DKIM: VERIFIES}
    alone = world.made(files=files, settings={"smtpd_milters": SIGNER})
    assert doors(alone.probe()).judged is False
    with_other = world.made(files=files, settings={"smtpd_milters": f"{SIGNER}, inet:127.0.0.1:11332"})
    found = doors(with_other.probe())
    assert (found.judged, found.unseen) == (None, ("milter inet:127.0.0.1:11332",))


def test_that_who_only_tries_a_policy_is_refused_too_is_said_before() -> None:
    cost = " ".join(proposed(refuse_early, VERIFIES, TAGS, others=[8893], smtpd_milters=BOTH).cost)
    assert "only try such a policy out (t=y, pct below 100) are refused" in cost


@pytest.mark.parametrize(
    ("header", "refused"),
    [
        ("relay.example.org/982F451; dmarc=fail (p=reject dis=none) header.from=x.example", True),
        ("relay.example.org/982F451; dmarc=fail (p=none dis=none) header.from=x.example", False),
        ("relay.example.org.x/982F451; dmarc=fail (p=reject dis=none) header.from=x.example", False),
        ("other.example/relay.example.org; dmarc=fail (p=reject dis=none) header.from=x.example", False),
    ],
)
def test_opendmarcs_word_counts_with_the_id_of_the_message_behind_its_name(
    header: str, refused: bool
) -> None:
    pattern, _, action = refuse_early.text("relay.example.org").splitlines()[1].rpartition("/ ")
    found = re.search(pattern.removeprefix("/"), f"Authentication-Results: {header}", re.IGNORECASE)
    assert (bool(found), action.startswith("REJECT 4.7.1")) == (refused, True)
