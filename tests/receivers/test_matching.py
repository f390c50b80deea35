"""Who refused, and whose rule explains it: the receiver's own before software's, software's before everybody's."""

from __future__ import annotations

import pytest

from mailmend.model import Delivery, Relay, Severity
from mailmend.parse import reply
from mailmend.receivers import Receiver, RuleError, match, of, read, validate
from mailmend.receivers.files import parse

SOURCE = 'sources = ["https://example.com/errors"]\n'


def rule(name: str, cause: str, conditions: str, example: str) -> str:
    return (
        f'[[rule]]\nid = "{name}"\ncause = "{cause}"\nsource = "https://example.com/errors"\n{conditions}\n'
        f'examples = ["{example}"]\n'
    )


MAIL = parse(
    "mail.toml",
    'id = "mail"\nname = "Mail"\nhosts = ["mail.example"]\ntokens = ["MLX-"]\nhints = ["help.mail.example"]\n'
    'domains = ["user.example"]\n'
    + SOURCE
    + rule("full", "mailbox-disabled", 'any = ["mailbox is full"]', "550 mailbox is full")
    + rule("code", "private-blocklist", 'any = ["denied"]\nstatus = "5.7.606-649"', "550 5.7.610 denied")
    + rule("lie", "greylisted", 'any = ["internal resources are temporarily"]',
           "451 Internal resources are temporarily unavailable"),
)  # fmt: skip
FILTER = parse(
    "filter.toml",
    'id = "filter"\nname = "Filter"\nhosts = ["filter.mail.example"]\n'
    + SOURCE
    + rule("spam", "content-spam", 'any = ["the gate is shut"]', "554 the gate is shut"),
)
SOFTWARE = parse(
    "software.toml",
    'id = "software"\nname = "Software"\nscope = "software"\nhosts = ["software.example"]\n'
    + SOURCE
    + rule("full", "receiver-storage", 'any = ["is full"]', "452 disk is full")
    + rule("old", "queue-expired", 'any = ["retry timeout exceeded"]', "550 retry timeout exceeded"),
)
GENERIC = parse(
    "generic.toml",
    'id = "generic"\nname = "Anybody"\nscope = "generic"\n'
    + SOURCE
    + rule("full", "mailbox-full", 'any = ["mailbox is over quota", "mailbox is full, sorry"]',
           "552 mailbox is over quota")
    + rule("denied", "receiver-policy", 'any = ["access denied today"]\nweak = true', "550 access denied today")
    + rule("timeout", "connect-timeout", 'any = ["timed out"]', "connection timed out"),
)  # fmt: skip
ALL = (MAIL, FILTER, SOFTWARE, GENERIC)


def said(
    text: str, host: str | None = None, severity: Severity = "bounced", recipient: str | None = None
) -> Delivery:
    return Delivery(severity, recipient, reply.parse(text), Relay(host, None) if host else None)


def told(delivery: Delivery) -> tuple[str | None, str | None]:
    """(receiver, file and id of the rule)."""
    who, found = read(delivery, ALL)
    return who.id if who else None, f"{found.rule.receiver} {found.rule.id}" if found else None


NEITHER = {
    "a code alone": said("550 5.7.610 no", "mx.mail.example"),
    "a status beside the range": said("550 5.7.650 denied", "mx.mail.example"),
    "a receiver's words by a host that is nobody's": said("550 5.7.610 denied", "mx.example.net"),
    "a receiver's few words by nobody knows whom": said("550 5.7.610 denied"),
}


@pytest.mark.parametrize("delivery", NEITHER.values(), ids=NEITHER)
def test_what_no_rule_is_about_stays_unexplained(delivery: Delivery) -> None:
    assert match(delivery, ALL) is None


TOLD = {
    "the receiver's own words": (said("550 5.7.610 denied", "mx.mail.example"), ("mail", "mail code")),
    "the receiver's rule before longer words of everybody": (
        said("552 mailbox is full, sorry", "mx.mail.example"),
        ("mail", "mail full"),
    ),
    "software before longer words of everybody": (
        said("552 mailbox is full, sorry", "mx.example.net"),
        (None, "software full"),
    ),
    "everybody's words, by a receiver without a rule for them": (
        said("552 mailbox is over quota", "mx.mail.example"),
        ("mail", "generic full"),
    ),
    "a filter in front is the receiver": (
        said("554 the gate is shut", "eu.filter.mail.example"),
        ("filter", "filter spam"),
    ),
    "a token, whoever quotes it": (said("550 5.7.610 denied MLX-1", "relay.example.net"), ("mail", "mail code")),
    "a hint where no host is known": (
        said("550 5.7.610 denied, see help.mail.example"),
        ("mail", "mail code"),
    ),
    "the recipient's domain where nothing else is": (
        said("550 5.7.610 denied", recipient="a@user.example"),
        ("mail", "mail code"),
    ),
    "words that are one receiver's, by nobody knows whom": (
        said("451 Internal resources are temporarily unavailable"),
        ("mail", "mail lie"),
    ),
    "words that say little, alone": (said("550 access denied today"), (None, "generic denied")),
    "words that say little, before others": (
        said("550 access denied today: 452 disk is full", "mx.example.net"),
        (None, "software full"),
    ),
    "the reason why the queue gave up": (
        said("550 retry timeout exceeded: connection timed out", "mx.example.net"),
        (None, "generic timeout"),
    ),
    "software that is also sold as a service, on its own hosts": (
        said("452 disk is full", "mx.software.example"),
        ("software", "software full"),
    ),
    "that the queue gave up, where nothing else is said": (
        said("550 retry timeout exceeded", "mx.example.net"),
        (None, "software old"),
    ),
    "the own server's refusal, not by the rules of whom it refused": (
        said("452 mailbox is full, sorry", "mx.mail.example", "rejected-inbound"),
        (None, "software full"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("delivery", "wanted"), TOLD.values(), ids=TOLD)
def test_whose_rule_explains(delivery: Delivery, wanted: tuple[str | None, str]) -> None:
    assert told(delivery) == wanted


def test_giving_up_is_told_beside_the_reason() -> None:
    found = match(said("550 retry timeout exceeded: connection timed out", "mx.example.net"), ALL)
    assert found is not None
    assert found.gave_up
    assert found.rule.cause == "connect-timeout"


def test_the_one_that_reports_is_believed_where_no_host_is_named() -> None:
    delivery = Delivery("bounced", None, reply.parse("550 no"), reporting_mta="b7.mail.example")
    owner = of(delivery, ALL)
    assert owner is not None
    assert owner.id == "mail"


def test_the_installed_examples_hold_late_as_soon() -> None:
    """The index is built after some texts; what it finds must be what was found before."""
    texts = [f"552 mailbox is over quota {n}" for n in range(100)]
    assert {told(said(text)) for text in texts} == {(None, "generic full")}


def other(text: str) -> Receiver:
    return parse("other.toml", f'id = "other"\nname = "O"\nscope = "generic"\n{SOURCE}{text}')


RIVALS = {
    "another file's rule explains the example as well": (
        (GENERIC, other(rule("late", "connection-lost", 'any = ["timed out"]', "451 timed out"))),
        "receivers: generic: rule timeout: .* is matched equally well by timeout and other: late",
    ),
    "a rule of software explains everybody's example": (
        (SOFTWARE, other(rule("box", "mailbox-full", 'any = ["mailbox is full"]', "552 mailbox is full"))),
        "receivers: other: rule box: .* is matched by software: full",
    ),
    "a host of two": (
        (MAIL, parse("twin.toml", f'id = "twin"\nname = "T"\nhosts = ["mail.example"]\n{SOURCE}')),
        "receivers/twin.toml: the host .mail.example is in receivers/mail.toml, too",
    ),
}


@pytest.mark.parametrize(("receivers", "reason"), RIVALS.values(), ids=RIVALS)
def test_a_tie_is_told_with_file_rule_and_rival(receivers: tuple[Receiver, ...], reason: str) -> None:
    with pytest.raises(RuleError, match=reason):
        validate(receivers)


def test_every_fault_is_told_at_once() -> None:
    late = rule("a", "spf-fail", 'any = ["first words"]', "550 none") + rule(
        "b", "spf-fail", 'any = ["other words"]', "550 nothing"
    )
    with pytest.raises(RuleError, match=r"(?s)rule a: .* is not matched\n.*rule b: .* is not matched"):
        validate((other(late),))


def test_a_receivers_example_may_be_what_everybody_says() -> None:
    validate((MAIL, FILTER, SOFTWARE, GENERIC))
