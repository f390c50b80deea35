"""Settings: every parameter of a real Postfix, found as one types; a form where a page may change it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mailmend.jobs.here import Here
from mailmend.jobs.parameters import parameters
from mailmend.lab import Lab
from mailmend.model import Evidence
from mailmend.parse import mastercf
from mailmend.questions import Defaults, File, FileState, Manual, Services, Setting, SettingValue
from ui.web.consoles import HOSTILE, Visitor

pytestmark = pytest.mark.lab


class Postconf:
    """What a real postconf(1) said once, as a probe."""

    def __init__(self, lab: Lab, main: str, master: str = "") -> None:
        relay = lab.relay
        lab.reset()
        self.master = relay.read("/etc/postfix/master.cf") + master
        relay.write("/etc/postfix/main.cf", relay.read("/etc/postfix/main.cf") + main)
        self.main = relay.read("/etc/postfix/main.cf")
        self.defaults, self.values, self.written = (
            _pairs(relay.run(["postconf", option]).stdout) for option in ("-d", "-x", "-n")
        )
        self.values |= _pairs(relay.run(["postconf", "-nx"]).stdout)
        self.services = mastercf.parse(self.master).services()

    def ask(self, question: Any) -> Evidence[Any]:
        found: Any = None
        match question:
            case Defaults():
                found = tuple(self.defaults.items())
            case Setting("config_directory"):
                found = SettingValue("/etc/postfix", None)
            case Setting(name):
                found = SettingValue(self.values.get(name), self.written.get(name))
            case Services():
                found = self.services
            case File(path):
                text = self.master if path.endswith("/master.cf") else self.main
                found = FileState(path, True, text, 0o644, "root", datetime.now(UTC), None)
            case Manual(name):
                found = f"The manual of {name}."
        return Evidence(question, found, None if found is not None else "not asked", datetime.now(UTC))


def _pairs(text: str) -> dict[str, str]:
    return dict(line.split(" =", 1) if " =" in line else (line, "") for line in text.splitlines())


@pytest.fixture(scope="module")
def look(lab: Lab) -> Callable[[], Here]:
    hostile = HOSTILE.replace(chr(0), "")
    service = f"10025 inet n - n - 3 smtpd\n  -o {{ smtpd_banner = {hostile} }}\n  -o daemon_directory=/x\n"
    probe: Any = Postconf(lab, f"\nsmtpd_banner = {hostile}\nmine_own = of mine\n", service)
    return lambda: Here(probe, None, Path("/nonexistent"))


@pytest.fixture
def visitor(look: Callable[[], Here]) -> Visitor:
    return Visitor(look)


# ---- what must not be ---------------------------------------------------------------------


def test_what_makes_root_of_whoever_sets_it_has_no_form(visitor: Visitor) -> None:
    for name in ("daemon_directory", "import_environment", "mail_owner"):
        text = visitor.get(f"/settings/{name}")
        assert "<textarea" not in text
        assert re.search(f"mailmend set '?{name}=", html.unescape(text))


def test_without_a_helper_nothing_has_a_form(visitor: Visitor) -> None:
    text = visitor.get("/settings/inet_protocols")
    assert "<textarea" not in text
    assert "This console only reads" in text
    assert "mailmend set inet_protocols=" in html.unescape(text).replace("'", "")


def test_what_stands_in_main_cf_is_no_markup(visitor: Visitor) -> None:
    for path in ("/settings?q=smtpd_banner", "/settings/smtpd_banner", "/service?name=10025/inet"):
        text = visitor.get(path)
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "\u202e" not in text
        assert "\x9b" not in text


def test_a_parameter_that_there_is_not_is_one_line(visitor: Visitor) -> None:
    answer = visitor.client.get("/settings/inet_protcols")
    assert answer.status_code == 422
    assert "did you mean inet_protocols?" in answer.text


@pytest.mark.parametrize("query", ["start=-5", "start=99999", "only=&start=0", "q=" + "x" * 5000])
def test_whatever_is_asked_for_is_a_page(visitor: Visitor, query: str) -> None:
    assert "Settings" in visitor.get(f"/settings?{query}")


# ---- what must be -------------------------------------------------------------------------


def test_every_parameter_of_this_postfix_is_there(look: Callable[[], Here], lab: Lab) -> None:
    found = parameters(look())
    told = _pairs(lab.relay.run(["postconf", "-d"]).stdout)
    assert set(told) <= set(found.every)
    assert len(told) > 800
    own = found.one("mine_own")
    assert own.written is not None
    assert own.default is None


def test_a_name_is_found_before_what_only_mentions_it(look: Callable[[], Here]) -> None:
    found = parameters(look())
    assert not found.find("inet protocols", among=("mine_own",))
    names = [one.name for one in found.find("inet protocols")]
    assert names[0] == "inet_protocols"
    assert next(one.name for one in found.find("relayhost")) == "relayhost"
    assert found.find("no such words at all") == ()


def test_what_main_cf_sets_is_told_with_its_line(look: Callable[[], Here]) -> None:
    found = parameters(look())
    here = {one.name for one in found.find("", only="set")}
    assert "mydestination" in here
    assert "smtpd_timeout" not in here
    one = found.one("mydestination")
    probe: Any = look().probe
    assert one.line is not None
    assert probe.main.splitlines()[one.line - 1].startswith("mydestination")


def test_one_scrolls_through_all_of_them_once(visitor: Visitor, look: Callable[[], Here]) -> None:
    names: list[str] = []
    path: str | None = "/settings"
    while path:
        text = visitor.client.get(path, headers={"HX-Request": "true"}).text
        names += re.findall(r'href="/settings/([^"]+)"', text)
        more = re.search(r'hx-get="([^"]+)" hx-trigger="revealed"', text)
        path = more[1].replace("&amp;", "&") if more else None
    assert names == [one.name for one in parameters(look()).find("")]


def test_the_page_of_one_tells_its_manual_its_default_and_what_brings_it_to_life(visitor: Visitor) -> None:
    text = visitor.get("/settings/inet_protocols")
    assert "The manual of inet_protocols." in text
    assert "Postfix is stopped and started" in text
    assert "postconf(5)" in text


def test_a_service_that_there_is_not_is_one_line(visitor: Visitor) -> None:
    answer = visitor.client.get("/service?name=smtp/inett")
    assert answer.status_code == 422
    assert "did you mean smtp/inet?" in answer.text


def test_a_service_is_found_by_what_it_runs_and_by_its_overrides(visitor: Visitor) -> None:
    for words in ("10025", "smtpd daemon_directory=/x"):
        text = visitor.get(f"/settings?q={words.replace(' ', '+')}")
        assert 'href="/service?name=10025/inet"' in text
        assert "name=pickup/unix" not in text
    assert "1 service<" in visitor.get("/settings?q=10025&only=differs")


def test_each_column_and_override_of_a_service_has_its_tier_and_its_command(visitor: Visitor) -> None:
    text = visitor.get("/service?name=10025/inet")
    rows = {row.split("<br>")[0].split("</td>")[0]: row for row in text.split('<td data-of="What">')[1:]}
    assert "How many of it run at once" in rows["process_limit"]
    tiers = {"process_limit": "plain", "private": "mail", "command": "root", "chroot": "root"}
    for name, word in tiers.items():
        assert f">{word}</span>" in rows[name]
        assert f"mailmend set 10025/inet/{name}=VALUE" in rows[name]
    own = next(row for name, row in rows.items() if "daemon_directory" in name)
    assert ">root</span>" in own
    assert "mailmend set --default 10025/inet/daemon_directory" in own


def test_the_default_stands_beside_the_value(visitor: Visitor) -> None:
    text = visitor.get("/settings?q=smtpd_banner")
    assert "$myhostname ESMTP $mail_name" in text


def test_where_nobody_can_see_what_runs_no_setting_is_said_to_be_live_or_not(visitor: Visitor) -> None:
    text = visitor.get("/settings?only=not-live")
    assert "0 parameters, 0 services" in text
    assert "card warn" in text
