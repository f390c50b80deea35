"""What main.cf changes of a message that passes, and what leaves it as its sender signed it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mailmend.facts.forwarding import alterations
from mailmend.model import Evidence
from mailmend.questions import File, FileState, Services, Setting, SettingValue

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ADDS = (
    "/^Subject:/ PREPEND X-Seen: yes\n/^Received:/ IGNORE\n# /^From:/ REPLACE From: nobody\n/^From:/ INFO\n"
)


class Probe:
    def __init__(self, **main: str) -> None:
        self.main = main

    def ask(self, question: Any, /) -> Evidence[Any]:
        if isinstance(question, Setting):
            return Evidence(question, SettingValue(self.main.get(question.name, ""), None), None, NOW)
        if isinstance(question, Services):
            return Evidence(question, (), None, NOW)
        assert isinstance(question, File)
        text = {"/etc/postfix/adds": ADDS, "/etc/postfix/tags": "/^Subject: (.*)/ REPLACE Subject: [x] $1\n"}
        return Evidence(
            question, FileState(question.path, True, text[question.path], 0o644, "root", NOW, None), None, NOW
        )


@pytest.mark.parametrize(
    "main",
    [
        {},
        {"header_checks": "regexp:/etc/postfix/adds"},
        {"header_checks": "regexp:{{/^From:/ INFO}}"},
        {"header_checks": "pcre:{{/^Subject:/ PREPEND X-Seen: yes}, {/^Received:/ IGNORE}}"},
        # Only a program can tell what this one does.
        {"header_checks": "socketmap:unix:/run/table:name"},
    ],
)
def test_what_adds_a_field_or_only_logs_changes_nothing(main: dict[str, str]) -> None:
    assert alterations(Probe(**main)) == ()


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("header_checks", "regexp:/etc/postfix/tags"),
        ("smtp_header_checks", "proxy:regexp:/etc/postfix/tags"),
        ("smtp_header_checks", "regexp:{{/^Subject: (.*)/ REPLACE Subject: forwarded}}"),
        ("header_checks", "regexp:{{/^From:/ INFO}, {/^X-Spam:/ IGNORE}}"),
        ("body_checks", "pcre:{{/secret/ STRIP}}"),
    ],
)
def test_what_replaces_or_takes_away_is_named(name: str, table: str) -> None:
    ((setting, why),) = alterations(Probe(**{name: table}))
    assert setting == name
    assert why.startswith(f"{table} changes what passes: ")
