"""What only another installation changes is asked once; a failure to ask is asked again."""

from __future__ import annotations

import pytest

from mailmend.model import CannotLook
from mailmend.ui.web import installed
from mailmend.ui.web.installed import Installed


def test_a_failure_is_not_kept() -> None:
    kept = Installed()

    def fails() -> str:
        raise CannotLook("there is no Postfix here")

    with pytest.raises(CannotLook):
        kept.text("config_directory", fails)
    assert kept.text("config_directory", lambda: "/etc/postfix") == "/etc/postfix"


def test_one_name_is_not_another() -> None:
    kept = Installed()
    assert kept.text("manual of relayhost", lambda: "The next hop.") == "The next hop."
    assert kept.text("manual of mydomain", lambda: None) is None


def test_it_is_asked_once_until_it_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, asked = Installed(), []

    def ask() -> str:
        asked.append(1)
        return f"the {len(asked)}. answer"

    assert [kept.text("manual of relayhost", ask) for _ in range(3)] == ["the 1. answer"] * 3
    monkeypatch.setattr(installed, "_LASTS", -1.0)  # an upgrade later
    assert kept.text("manual of relayhost", ask) == "the 2. answer"
