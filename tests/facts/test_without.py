"""What would be read if a change of ours had never been saved, whoever asks for which service."""

from __future__ import annotations

from typing import Any

import pytest

from mailmend.facts.without import Without
from mailmend.model import Change, Evidence, Question
from mailmend.questions import Now, Setting, SettingValue
from mailmend.system.probe import now


class Saved:
    """A probe of settings: `name` or `service/name` -> what is written; a service has main.cf's otherwise."""

    def __init__(self, **written: str) -> None:
        self.written = written

    def ask(self, question: Question[Any], /) -> Evidence[Any]:
        if not isinstance(question, Setting):
            return Evidence(question, None, "not asked here", now())
        text = self.written.get(f"{question.service}/{question.name}", self.written.get(question.name))
        return Evidence(question, SettingValue(text or "", text), None, now())


def setting(name: str, before: str | None, after: str, kind: str = "setting") -> Change:
    return Change(kind, name, before, after, "reload")  # type: ignore[arg-type]


FILTER = setting("smtp_dns_reply_filter", None, "regexp:/etc/postfix/ours")
PREPENDED = setting("smtp_dns_reply_filter", "pcre:/theirs", "regexp:/ours pcre:/theirs")
FAMILY = setting("inet_protocols", None, "ipv4")
OVERRIDE = setting("smtp/unix/inet_protocols", None, "ipv4", "override")
OVERRIDDEN = setting("smtp/unix/inet_protocols", "ipv6", "ipv4", "override")


@pytest.mark.parametrize(
    ("changes", "written", "asked", "value"),
    [
        pytest.param((FILTER,), {"inet_protocols": "ipv6"}, Setting("inet_protocols"), "ipv6", id="not ours"),
        pytest.param(
            (FAMILY,),
            {"inet_protocols": "ipv4", "smtp/unix/inet_protocols": "ipv6"},
            Setting("inet_protocols", "smtp/unix"),
            "ipv6",
            id="somebody's override stays",
        ),
        pytest.param(
            (OVERRIDE,),
            {"inet_protocols": "all", "relay/unix/inet_protocols": "ipv4"},
            Setting("inet_protocols", "relay/unix"),
            "ipv4",
            id="another service's override stays",
        ),
        pytest.param(
            (FILTER,),
            {"smtp_dns_reply_filter": "regexp:/etc/postfix/ours"},
            Setting("smtp_dns_reply_filter"),
            "",
            id="nothing was there",
        ),
        pytest.param(
            (PREPENDED,),
            {"smtp_dns_reply_filter": "regexp:/ours pcre:/theirs"},
            Setting("smtp_dns_reply_filter", "relay/unix"),
            "pcre:/theirs",
            id="theirs was there",
        ),
        pytest.param(
            (FAMILY,),
            {"inet_protocols": "ipv4"},
            Setting("inet_protocols", "smtp/unix"),
            "all",
            id="the default",
        ),
        pytest.param(
            (OVERRIDE,),
            {"inet_protocols": "all", "smtp/unix/inet_protocols": "ipv4"},
            Setting("inet_protocols", "smtp/unix"),
            "all",
            id="our override",
        ),
        pytest.param(
            (OVERRIDDEN,),
            {"inet_protocols": "all", "smtp/unix/inet_protocols": "ipv4"},
            Setting("inet_protocols", "smtp/unix"),
            "ipv6",
            id="our override of theirs",
        ),
        pytest.param(
            (FAMILY, OVERRIDE),
            {"inet_protocols": "ipv4", "smtp/unix/inet_protocols": "ipv4"},
            Setting("inet_protocols", "smtp/unix"),
            "all",
            id="both",
        ),
    ],
)
def test_a_setting_as_it_would_be(
    changes: tuple[Change, ...], written: dict[str, str], asked: Setting, value: str
) -> None:
    seen = Without(Saved(**written), changes).ask(asked)
    assert seen.answer is not None
    assert seen.answer.value == value


def test_a_look_that_fails_still_fails() -> None:
    assert Without(Saved(), (FILTER,)).ask(Now()).error == "not asked here"
