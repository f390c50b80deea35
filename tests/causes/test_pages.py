"""Every page is whole, and sends nobody to a command that mailmend does not have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mailmend import causes
from mailmend.causes import PageError, parse

REPLIES = [
    "ipv6-ptr-or-auth",
    "ptr-missing",
    "fcrdns-mismatch",
    "unauthenticated",
    "spf-fail",
    "spf-record-bad",
    "dkim-fail",
    "dmarc-reject",
    "dmarc-record-missing",
    "dmarc-alignment",
    "auth-dns-tempfail",
    "tls-required",
    "helo-invalid",
    "unknown",
]

HEAD = '+++\ntitle = "T"\nwho = ["own-mta"]\nkind = "either"\nsteps = ["Do."]\nsources = ["RFC 5321"]\n'
WRONG = {
    "no head": ("Just words.", "no head"),
    "an open head": ("+++\ntitle = 'x'\n", "no head"),
    "no TOML": ("+++\ntitle =\n+++\nwords", "causes/x.md: Invalid"),
    "no steps": (HEAD.replace("steps", "stops") + "+++\nwords", "stops is no key"),
    "nobody acts": (HEAD.replace('who = ["own-mta"]\n', "") + "+++\nwords", "who is missing"),
    "another kind": (HEAD.replace("either", "sometimes") + "+++\nwords", "kind is one of"),
    "a number for a word": (HEAD + "checks = [1]\n+++\nwords", "checks is a list of words"),
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


def test_the_head_and_the_page_are_told_apart() -> None:
    page = parse("x", HEAD + '[forwarded]\nwho = ["nobody"]\n+++\nWords, and a +++ within.\n')
    assert (page.who, page.forwarded_who, page.page) == (
        ("own-mta",),
        ("nobody",),
        "Words, and a +++ within.\n",
    )


def test_a_page_is_read_only_when_it_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "good.md").write_text(HEAD + "+++\nwords")
    (tmp_path / "bad.md").write_text("no page at all")
    pages = causes.Pages(tmp_path)
    assert pages["good"].title == "T"
    assert sorted(pages) == ["bad", "good"]
    with pytest.raises(PageError, match=r"causes/bad\.md"):
        pages["bad"]


@pytest.mark.parametrize("name", REPLIES)
def test_what_a_receiver_may_say_has_a_page_that_helps(name: str) -> None:
    page = causes.load()[name]
    assert page.kind != "state"
    assert page.who
    assert len(page.steps) >= 3
    assert page.sources


def test_forwarding_moves_the_move_to_the_forwarder() -> None:
    known = causes.load()
    for name in ("spf-fail", "unauthenticated"):
        assert known[name].forwarded_who == ("own-mta",)
        assert "srs" in known[name].forwarded_remedies
    # Nothing of ours cures a strict sender who does not sign, so nothing is offered.
    assert known["dmarc-reject"].remedies == known["dmarc-reject"].forwarded_remedies == ()
    assert "sender-domain-owner" in known["dmarc-reject"].forwarded_who


@pytest.mark.parametrize("name", REPLIES)
def test_a_page_names_only_commands_and_remedies_that_there_are(name: str) -> None:
    from mailmend.catalogue import load
    from mailmend.ui.cli import mailmend

    page = causes.load()[name]
    text = " ".join((page.page, *page.steps, *page.forwarded_steps))
    for command, option in re.findall(
        r"mailmend\s+([a-z]+)(?:\s+(--[a-z]+))?", " ".join(re.findall(r"`[^`]+`", text))
    ):
        assert command in mailmend.commands
        known = {opt for parameter in mailmend.commands[command].params for opt in parameter.opts}
        assert not option or option in known
    for remedy in re.findall(r"--remedy\s+([a-z0-9-]+)", text):
        assert remedy in load().remedies
    for cause in re.findall(r"--cause\s+([a-z0-9-]+)", text):
        assert cause in causes.load()
