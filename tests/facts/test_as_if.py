"""What Postfix would read once files are saved: what is not touched stays, what cannot be told is not guessed."""

from __future__ import annotations

from typing import Any

import pytest

from mailmend.facts.as_if import AsIf
from mailmend.model import Evidence, FileEdit, Question
from mailmend.parse import maincf, mastercf
from mailmend.questions import Defaults, File, MapLookup, Now, Services, Setting, SettingValue, Stat
from mailmend.system.probe import now
from worlds.world import load

MAIN = (
    "myhostname = mx.example.org\nmydestination = $myhostname, localhost\nsmtpd_banner = ${myhostname} hi\n"
)
MASTER = "smtp unix - - n - - smtp\n  -o inet_protocols=ipv4\nrelay unix - - n - - smtp\n"
DEFAULTS = (
    ("myhostname", "host.example"),
    ("inet_protocols", "all"),
    ("relay_domains", "${{$x} == {} ? {a} : {b}}"),
)


class Saved:
    """A Postfix whose main.cf and master.cf are MAIN and MASTER; nothing else can be looked at."""

    def ask(self, question: Question[Any], /) -> Evidence[Any]:
        main = maincf.parse(MAIN)
        answer: Any = None
        if isinstance(question, Setting):
            entry = next((s for s in mastercf.parse(MASTER).services() if s.id == question.service), None)
            text = dict(entry.overrides if entry else ()).get(question.name, main.get(question.name))
            value = (text if text is not None else dict(DEFAULTS).get(question.name, "")).replace("$", "")
            answer = SettingValue(value, text)
        elif isinstance(question, Services):
            answer = mastercf.parse(MASTER).services()
        elif isinstance(question, Defaults):
            answer = DEFAULTS
        return Evidence(question, answer, None if answer is not None else "not asked here", now())


def would(main: str = MAIN, master: str = MASTER) -> AsIf:
    edits = (FileEdit("/etc/postfix/main.cf", MAIN, main), FileEdit("/etc/postfix/master.cf", MASTER, master))
    return AsIf(Saved(), tuple(e for e in edits if e.before != e.after))


def value(probe: AsIf, name: str, service: str | None = None) -> Any:
    seen = probe.ask(Setting(name, service))
    return seen.answer.value if seen.answer else seen.error


def test_what_is_not_touched_is_answered_as_ever() -> None:
    probe = would(MAIN + "biff = no\n")
    assert value(probe, "smtpd_banner") == "{myhostname} hi"
    assert probe.ask(Services()).answer == mastercf.parse(MASTER).services()
    assert probe.ask(Now()).error == "not asked here"


@pytest.mark.parametrize(
    ("main", "master", "name", "service", "wanted"),
    [
        (MAIN.replace("mx.", "mail."), MASTER, "myhostname", None, "mail.example.org"),
        (MAIN.replace("mx.", "mail."), MASTER, "mydestination", None, "mail.example.org, localhost"),
        (MAIN.replace("mx.", "mail."), MASTER, "smtpd_banner", "smtp/unix", "mail.example.org hi"),
        ("", MASTER, "myhostname", None, "host.example"),
        (MAIN + "inet_protocols = ipv6\n", MASTER, "inet_protocols", None, "ipv6"),
        (MAIN + "inet_protocols = ipv6\n", MASTER, "inet_protocols", "smtp/unix", "ipv4"),
        (MAIN + "inet_protocols = ipv6\n", MASTER, "inet_protocols", "relay/unix", "ipv6"),
        (MAIN, MASTER.replace("ipv4", "ipv6"), "inet_protocols", "smtp/unix", "ipv6"),
        (MAIN, MASTER.replace("  -o inet_protocols=ipv4\n", ""), "inet_protocols", "smtp/unix", "all"),
        (MAIN + "a = $$b\n", MASTER, "a", None, "$b"),
    ],
)
def test_what_would_be_read(main: str, master: str, name: str, service: str | None, wanted: str) -> None:
    assert value(would(main, master), name, service) == wanted


@pytest.mark.parametrize("text", ["a = $a", "a = $b\nb = $a", "a = ${b?c}", "a = ${{$x} == {} ? {y} : {z}}"])
def test_what_cannot_be_told_is_not_guessed(text: str) -> None:
    seen = would(f"{MAIN}{text}\n").ask(Setting("a"))
    assert seen.answer is None
    assert seen.error


def test_a_table_that_nothing_named_before() -> None:
    class Disk(Saved):
        def ask(self, question: Question[Any], /) -> Evidence[Any]:
            if isinstance(question, Stat):
                there = load("all-is-well").probe().ask(File("/etc/postfix/main.cf")).answer
                from dataclasses import replace

                return Evidence(
                    question, replace(there, exists=question.path.endswith("there.db")), None, now()
                )
            return super().ask(question)

    text = f"{MAIN}transport_maps = hash:/etc/postfix/there, hash:/etc/postfix/gone\n"
    probe = AsIf(Disk(), (FileEdit("/etc/postfix/main.cf", MAIN, text),))
    assert probe.ask(MapLookup("hash:/etc/postfix/there", "x")).answer == ""
    assert "No such file" in (probe.ask(MapLookup("hash:/etc/postfix/gone", "x")).error or "")
    assert probe.ask(MapLookup("hash:/etc/postfix/other", "x")).error == "not asked here"
