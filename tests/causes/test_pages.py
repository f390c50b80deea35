"""Every page is whole, offers no cure that there is not, and sends nobody to what does not exist."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path

import pytest

from mailmend import causes
from mailmend.causes import PageError, parse
from mailmend.model import Cause


def words(text: str) -> list[str]:
    return text.split()


# What a receiver, a relay or this host may say, in the order of the taxonomy. Rules name these.
REPLIES = words("""
    ipv6-ptr-or-auth ptr-missing fcrdns-mismatch ptr-generic helo-invalid dynamic-ip ipv6-refused ip-not-allowlisted
    unauthenticated spf-fail spf-record-bad dkim-fail dmarc-reject dmarc-record-missing dmarc-alignment
    bulk-auth-required auth-dns-tempfail sender-domain-unresolvable sender-domain-null-mx sender-rejected
    spoof-rejected
    ip-reputation domain-reputation dnsbl-listed domain-dnsbl-listed private-blocklist recipient-blocked-sender
    rate-limited-reputation rate-limited too-many-connections too-many-recipients recipient-rate-limited greylisted
    sender-quota
    content-spam content-phishing virus attachment-blocked header-noncompliant body-noncompliant message-too-large
    header-too-large duplicate-flood
    no-such-user mailbox-full mailbox-disabled recipient-moved recipient-restricted recipient-syntax
    recipient-domain-unknown recipient-null-mx address-verification-pending suppressed list-refused
    dns-tempfail connect-refused connect-timeout no-route connection-lost queue-expired routing-loop tls-required
    tls-failed relay-denied auth-required protocol-error
    receiver-busy receiver-error receiver-storage receiver-misconfigured not-accepting-mail receiver-policy
    local-delivery-error
    sender-account-blocked sender-not-permitted dnsbl-query-refused outbound-policy
""")
NOTICES = ["delayed-notice", "delivered-notice", "auto-reply", "feedback-report", "challenge-response"]
TAXONOMY = [*REPLIES, *NOTICES, "unknown"]

WHO = set(
    words(
        "sender-dns own-mta sender-domain-owner receiver-admin recipient content list-operator sender-volume"
        " nobody unknown"
    )
)
COARSE = set(
    words(
        "ptr reputation policy auth sender rate spam protocol size user_unknown mailbox_full mailbox_disabled domain"
        " temp policy_config tls relay notice other"
    )
)
SECTIONS = [
    "What happened",
    "Whose move it is",
    "How to make sure",
    "What to do on Postfix",
    "What not to do",
]

# Nothing that mailmend applies cures these: it lies with people, with what is sent, or with another's server.
INCURABLE = words("""
    dmarc-reject ip-reputation domain-reputation dnsbl-listed domain-dnsbl-listed private-blocklist
    recipient-blocked-sender content-spam content-phishing virus attachment-blocked message-too-large no-such-user
    mailbox-full mailbox-disabled recipient-restricted recipient-null-mx list-refused receiver-error receiver-policy
    sender-account-blocked dnsbl-query-refused
""")

# Whose move it is first, once the mail was forwarded.
FORWARDED = {
    "spf-fail": "own-mta",
    "unauthenticated": "own-mta",
    "dmarc-reject": "sender-domain-owner",
    "bulk-auth-required": "sender-domain-owner",
    "no-such-user": "own-mta",
    "mailbox-disabled": "own-mta",
    "ip-reputation": "own-mta",
    "rate-limited-reputation": "own-mta",
    "content-spam": "own-mta",
    "virus": "own-mta",
    "message-too-large": "own-mta",
    "sender-domain-unresolvable": "own-mta",
}

HEAD = '+++\ntitle = "T"\nwho = ["own-mta"]\nkind = "either"\nsteps = ["Do."]\nsources = ["RFC 5321"]\n'
WRONG = {
    "no head": ("Just words.", "no head"),
    "an open head": ("+++\ntitle = 'x'\n", "no head"),
    "no TOML": ("+++\ntitle =\n+++\nwords", "causes/x.md: Invalid"),
    "no steps": (HEAD.replace("steps", "stops") + "+++\nwords", "stops is no key"),
    "nobody acts": (HEAD.replace('who = ["own-mta"]\n', "") + "+++\nwords", "who is missing"),
    "another kind": (HEAD.replace("either", "sometimes") + "+++\nwords", "kind is one of"),
    "a number for a word": (HEAD + "checks = [1]\n+++\nwords", "checks is a list of words"),
    "a number for a class": (HEAD + "coarse = 1\n+++\nwords", "coarse is"),
    "another key of forwarded": (
        HEAD + '[forwarded]\ncause = "x"\n+++\nwords',
        "cause is no key of forwarded",
    ),
    "nothing to read": (HEAD + "+++\n \n", "nothing to read"),
}


@pytest.mark.parametrize(("text", "reason"), WRONG.values(), ids=WRONG)
def test_a_page_that_is_not_whole_is_refused_with_its_name(text: str, reason: str) -> None:
    with pytest.raises(PageError, match=reason):
        parse("x", text)


@pytest.mark.parametrize("name", INCURABLE)
def test_where_nothing_of_ours_cures_nothing_is_offered(name: str) -> None:
    assert causes.load()[name].remedies == ()


def test_a_page_is_read_only_when_it_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "good.md").write_text(HEAD + "+++\nwords")
    (tmp_path / "bad.md").write_text("no page at all")
    pages = causes.Pages(tmp_path)
    assert pages["good"].title == "T"
    assert sorted(pages) == ["bad", "good"]
    with pytest.raises(PageError, match=r"causes/bad\.md"):
        pages["bad"]


def test_the_head_and_the_page_are_told_apart() -> None:
    page = parse("x", HEAD + '[forwarded]\nwho = ["nobody"]\n+++\nWords, and a +++ within.\n')
    assert (page.who, page.forwarded_who, page.page) == (
        ("own-mta",),
        ("nobody",),
        "Words, and a +++ within.\n",
    )


# ---- the installed pages --------------------------------------------------------------------

EVERY = sorted(causes.load())


def lines_of_code(page: Cause) -> list[str]:
    return [line.strip() for line in page.page.splitlines() if line.startswith("    ")]


def commands(page: Cause) -> list[str]:
    """What somebody may copy: code in lines, and `code` in sentences, which may be wrapped."""
    text = "\n\n".join((*page.steps, *page.forwarded_steps, page.page))
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)]
    return [*lines_of_code(page), *spans]


def text_of(page: Cause) -> str:
    return "\n".join((page.title, page.summary, *page.steps, *page.forwarded_steps, page.page))


def test_every_cause_of_the_taxonomy_has_its_page() -> None:
    assert len(TAXONOMY) == len(set(TAXONOMY)) == 79 + 4
    assert [name for name in TAXONOMY if name not in causes.load()] == []


@pytest.mark.parametrize("name", TAXONOMY)
def test_a_page_says_who_acts_what_class_it_is_and_where_that_is_written(name: str) -> None:
    page = causes.load()[name]
    assert page.who
    assert page.coarse in COARSE
    assert page.summary or name == "unknown"
    assert (page.kind == "state") == (name in NOTICES and name != "delayed-notice")
    assert page.sources


@pytest.mark.parametrize("name", EVERY)
def test_whose_move_it_is_is_said_in_known_words(name: str) -> None:
    page = causes.load()[name]
    assert {*page.who, *page.forwarded_who} <= WHO


@pytest.mark.parametrize("name", EVERY)
def test_a_source_can_be_looked_up(name: str) -> None:
    for source in causes.load()[name].sources:
        assert re.fullmatch(r"https://[^\s\"]+|RFC \d+( [A-Z0-9]+(\.\d+)*)?", source), source


@pytest.mark.parametrize("name", TAXONOMY)
def test_a_step_is_a_sentence_that_somebody_can_do(name: str) -> None:
    page = causes.load()[name]
    for step in (*page.steps, *page.forwarded_steps):
        assert re.match(r"[A-Z4]", step), step
        assert step.endswith((".", "?")), step
        assert "{" not in step or "`" in step, step
        assert len(step.split()) >= 4, step


@pytest.mark.parametrize("name", [*REPLIES, "delayed-notice"])
def test_the_page_goes_from_what_happened_to_what_not_to_do(name: str) -> None:
    page = causes.load()[name]
    assert re.findall(r"^## (.*)$", page.page, re.MULTILINE) == SECTIONS
    for section in re.split(r"^## .*$", page.page, flags=re.MULTILINE)[1:]:
        assert section.strip()
    assert lines_of_code(page), "nothing to copy"
    assert len(page.page.split()) >= 60


@pytest.mark.parametrize("name", EVERY)
def test_the_sentence_for_a_refusal_is_filled_from_what_is_known(name: str) -> None:
    page = causes.load()[name]
    known = {"receiver": "R", "source": "S", "domain": "D", "recipient": "T"}
    filled = page.summary.format(**known)  # KeyError: a field that nobody fills
    assert "{" not in filled
    assert not filled.endswith("."), "the screen ends the sentence"


@pytest.mark.parametrize(("name", "first"), FORWARDED.items(), ids=FORWARDED)
def test_forwarding_moves_the_move(name: str, first: str) -> None:
    page = causes.load()[name]
    assert page.forwarded_who[0] == first
    assert page.forwarded_steps


def test_what_srs_cures_and_what_it_does_not() -> None:
    known = causes.load()
    for name in ("spf-fail", "unauthenticated"):
        assert "srs" in (known[name].forwarded_remedies or ())
    # SRS never aligns with the author's From:, so it is not offered where a policy of his decides.
    for name in ("dmarc-reject", "dmarc-alignment", "spoof-rejected"):
        assert "srs" not in (*known[name].remedies, *(known[name].forwarded_remedies or ()))


@pytest.mark.parametrize("name", EVERY)
def test_a_page_names_only_commands_causes_and_remedies_that_there_are(name: str) -> None:
    from mailmend.catalogue import load
    from mailmend.ui.cli import mailmend

    for code in commands(causes.load()[name]):
        for command, rest in re.findall(r"\bmailmend ([a-z]+)([^|&;]*)", code):
            assert command in mailmend.commands, code
            options = {opt for parameter in mailmend.commands[command].params for opt in parameter.opts}
            assert set(re.findall(r"--[a-z-]+", rest)) <= options, code
        for remedy in re.findall(r"--remedy ([a-z0-9-]+)", code):
            assert remedy in load().remedies, code
        for cause in re.findall(r"--cause ([a-z0-9-]+)", code):
            assert cause in causes.load(), code


@pytest.mark.parametrize("name", EVERY)
def test_what_is_copied_changes_nothing_by_the_well_known_wrong_ways(name: str) -> None:
    """These are named in order to warn of them, never as a line to copy."""
    for line in lines_of_code(causes.load()[name]):
        assert not re.search(
            r"smtp_address_preference ?= ?ipv4|soft_bounce ?= ?yes|inet_protocols ?= ?ipv4", line
        )


# Not examples: loopback, private networks, and public resolvers that are asked or warned of.
REAL = {"8.8.8.8", "1.1.1.1", "9.9.9.9", "2001:4860:4860::8888"}


@pytest.mark.parametrize("name", EVERY)
def test_examples_use_documentation_names_and_addresses(name: str) -> None:
    text = text_of(causes.load()[name])
    for address in re.findall(
        r"(?<![\w.:])(?:\d+(?:\.\d+){3}|[0-9a-f]*:[0-9a-f:]*:[0-9a-f]*)(?![\w.:]*\w)", text
    ):
        if address not in REAL:
            assert ip_address(address).is_private or address.startswith("127."), address
    for domain in re.findall(r"[\w.+-]+@([a-z][\w-]*(?:\.[\w-]+)+)", text):
        assert re.search(r"(^|\.)example\.(org|net|com)$|\.(example|localdomain|lan)$", domain), domain
