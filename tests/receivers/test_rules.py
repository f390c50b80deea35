"""A wrong file of receivers/ is refused with its place, and no rule wins because of where it stands."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailmend import receivers
from mailmend.model import Delivery, Relay
from mailmend.parse import reply
from mailmend.receivers.files import parse

HEAD = (
    'id = "example"\nname = "Example"\nhosts = [".example.com"]\nsources = ["https://example.com/errors"]\n'
)
RULE = (
    '[[rule]]\nid = "{id}"\ncause = "{cause}"\nsource = "https://example.com/errors"\n{conditions}\n'
    'examples = ["{example}"]\n'
)


def rule(name: str, conditions: str, example: str, cause: str = "ptr-missing") -> str:
    return RULE.format(id=name, cause=cause, conditions=conditions, example=example)


WRONG = {
    "no TOML": ("hosts = ", "receivers/x.toml: Invalid"),
    "no hosts": (HEAD.replace('hosts = [".example.com"]\n', ""), "hosts is missing"),
    "a misspelt key of the head": (HEAD.replace("hosts", "host"), "host is no key of a receiver"),
    "another scope": (HEAD + 'scope = "world"\n', "scope is one of receiver, software, generic"),
    "two letters": (HEAD + rule("a", 'any = ["no"]', "no"), "is in too many words"),
    "no example": (
        HEAD + rule("a", 'any = ["no name"]', "").replace('[""]', "[]"),
        "rule a: examples is missing",
    ),
    "a code alone": (HEAD + rule("a", 'status = "5.7.25"', "550 5.7.25"), "a code alone explains nothing"),
    "a status that is none": (
        HEAD + rule("a", 'any = ["x y z"]\nstatus = "5.7"', "x y z"),
        "is neither a status",
    ),
    "a date that is none": (HEAD + rule("a", 'any = ["x y z"]\nfirst = "spring"', "x y"), "are dates"),
    "a misspelt key": (HEAD + rule("a", 'any = ["x y z"]\nanny = ["z"]', "x y"), "anny is no key"),
    "a word for a list": (
        HEAD + rule("a", 'any = ["x y z"]\nchecks = [1]', "x y"),
        "checks is a list of words",
    ),
    "the same id twice": (
        HEAD + rule("a", 'any = ["xxx"]', "xxx") + rule("a", 'any = ["yyy"]', "yyy"),
        "rule a has its id",
    ),
    "the same conditions twice": (
        HEAD + rule("a", 'any = ["xxx"]', "xxx") + rule("b", 'any = ["xxx"]', "xxx", "spf-fail"),
        "rule b has every condition in common with a",
    ),
}


@pytest.mark.parametrize(("text", "reason"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_refused_with_its_place(text: str, reason: str) -> None:
    with pytest.raises(receivers.RuleError, match=reason):
        parse("x.toml", text)


SHORT = rule("a", 'any = ["no name"]', "550 no name at all")
MISSES = {
    "it does not fire": (rule("a", 'any = ["no name"]', "550 something else"), "is not matched"),
    "another fires": (SHORT + rule("b", 'any = ["no name at all"]', "550 no name at all"), "is matched by b"),
    "another fires as well": (
        SHORT + rule("b", 'any = ["name at"]', "550 name at"),
        "equally well by a and b",
    ),
}


@pytest.mark.parametrize(("rules", "reason"), MISSES.values(), ids=MISSES)
def test_an_example_must_hit_its_own_rule(rules: str, reason: str) -> None:
    with pytest.raises(receivers.RuleError, match=reason):
        receivers.validate((parse("x.toml", HEAD + rules),))


def said(text: str) -> Delivery:
    return Delivery("bounced", reply=reply.parse(text), relay=Relay("mx.example.com", None))


@pytest.fixture
def example() -> receivers.Receiver:
    return parse(
        "x.toml",
        HEAD
        + rule("words", 'any = ["refused for reasons"]', "550 refused for reasons")
        + rule("status", 'any = ["refused"]\nstatus = "*.7.9"', "450 4.7.9 refused", "spf-fail")
        + rule("token", 'token = ["ERR7"]', "550 ERR7", "dkim-fail")
        + rule("tie-1", 'any = ["left side"]', "550 left side", "tls-required")
        + rule("tie-2", 'any = ["side west"]', "550 side west", "helo-invalid")
        + rule("not", 'any = ["refused"]\nnone = ["for reasons"]', "550 refused by hand", "dmarc-reject"),
    )


PRECEDENCE = {
    "a token before words": ("550 refused for reasons, ERR7", "token"),
    "a status before more words": ("550 5.7.9 refused for reasons", "status"),
    "either class of a status": ("450 4.7.9 refused", "status"),
    "none forbids": ("550 refused for reasons", "words"),
    "what none forbids, absent": ("550 refused by hand", "not"),
}


@pytest.mark.parametrize("backwards", [False, True], ids=["in order", "backwards"])
@pytest.mark.parametrize(("text", "wanted"), PRECEDENCE.values(), ids=PRECEDENCE)
def test_the_score_decides_and_not_the_order(
    example: receivers.Receiver, text: str, wanted: str, backwards: bool
) -> None:
    known = replace(example, rules=example.rules[::-1] if backwards else example.rules)
    found = receivers.match(said(text), (known,))
    assert found is not None
    assert found.rule.id == wanted


def test_two_causes_that_agree_equally_well_are_no_decision(example: receivers.Receiver) -> None:
    assert receivers.match(said("550 left side west"), (example,)) is None


def test_all_that_is_installed_is_sound() -> None:
    receivers.validate(receivers.load())
