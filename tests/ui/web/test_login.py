"""With a password, where that is wanted: not over a line that others read, not without a helper; then in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from mailmend.ui.helper.client import Helper
from mailmend.ui.web.app import application
from ui.web import consoles, on_a_relay
from ui.web.test_every_page import serious

TYPED = {"user": "anna", "password": "Blaue Möwe 7"}


@pytest.fixture
def visitor(tmp_path: Path) -> consoles.Visitor:
    (tmp_path / "mail.log").touch()
    return consoles.Visitor(consoles.looks("gmail-refuses-ipv6", tmp_path / "mail.log", tmp_path))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str]]:
    """What the helper was asked: name, password, source."""
    heard: list[tuple[str, str, str]] = []

    def begin(helper: Helper, user: str, password: str, source: str) -> str:
        heard.append((user, password, source))
        return "grant"

    monkeypatch.setattr(Helper, "begin_session_as", begin)
    return heard


def typed(visitor: consoles.Visitor, source: str = "127.0.0.1", **to: Any) -> tuple[int, str]:
    """The status, and the page that is answered to a name and a password from *source*."""
    console = replace(visitor.console, hosts=frozenset({"127.0.0.1", "console.example.org"}), **to)
    origin = next(iter(console.origins), consoles.ORIGIN)
    client = TestClient(application(console), base_url=origin, client=(source, 40000))
    answer = client.post("/login", data=TYPED, headers={"Origin": origin}, follow_redirects=False)
    return answer.status_code, answer.text


# ---- where no password is asked for, or taken ----------------------------------------------------


def test_nobody_is_asked_for_one_where_it_was_not_wanted(visitor: consoles.Visitor) -> None:
    visitor.client.cookies.clear()
    assert 'type="password"' not in visitor.client.get("/login").text


@pytest.mark.parametrize("to", [{}, {"helper": Path("/run/nowhere")}, {"group": "postmasters"}])
def test_none_is_taken_without_the_helper_and_a_group(
    visitor: consoles.Visitor, asked: list[tuple[str, str, str]], to: dict[str, Any]
) -> None:
    status, page = typed(visitor, **to)
    assert (status, asked) == (409, [])
    assert "nobody logs in with a password here" in page


@pytest.mark.parametrize("source", ["192.0.2.7", "2001:db8::7"])
def test_none_is_taken_over_a_line_that_others_can_read(
    visitor: consoles.Visitor, asked: list[tuple[str, str, str]], source: str
) -> None:
    status, page = typed(visitor, source, helper=Path("/run/nowhere"), group="postmasters")
    assert (status, asked) == (409, [])
    assert "without TLS" in page
    assert TYPED["password"] not in page


# ---- and where it is -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "origins"), [("127.0.0.1", ()), ("::1", ()), ("192.0.2.7", ("https://console.example.org",))]
)
def test_the_helper_is_asked_as_it_was_typed(
    visitor: consoles.Visitor, asked: list[tuple[str, str, str]], source: str, origins: tuple[str, ...]
) -> None:
    status, _ = typed(
        visitor, source, helper=Path("/run/nowhere"), group="postmasters", origins=frozenset(origins)
    )
    assert (status, asked) == (303, [("anna", TYPED["password"], source)])


def _anna(relay: Any) -> None:
    for command in (["groupadd", "postmasters"], ["useradd", "-M", "--groups", "postmasters", "anna"]):
        assert relay.run(command).returncode == 0
    assert relay.run(["chpasswd"], input=f"anna:{TYPED['password']}\n").returncode == 0


@pytest.fixture
def told(lab: Any) -> Iterator[on_a_relay.Console]:
    files = ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow")
    before = {path: lab.relay.read(path) for path in files}
    try:
        with on_a_relay.console(lab, "--pam", "postmasters", before=_anna) as told:
            yield told
    finally:
        for path, text in before.items():
            lab.relay.write(path, text)


@pytest.mark.lab
def test_anna_logs_in_by_her_name_on_a_telephone(
    told: on_a_relay.Console, pytestconfig: pytest.Config
) -> None:
    page = told.browser.new_page(
        base_url=told.address, viewport={"width": 360, "height": 740}, color_scheme="dark"
    )
    page.goto("/login")
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if pictures := pytestconfig.getoption("--pictures"):
        page.screenshot(path=Path(pictures) / "login-with-a-password-360-dark.png", full_page=True)
    page.fill("#user", "anna")
    page.fill("#password", "Blaue Moewe 7")
    page.press("#password", "Enter")
    page.wait_for_selector(".failed")
    assert "do not open this console" in page.inner_text(".failed")
    page.fill("#user", "anna")
    page.fill("#password", TYPED["password"])
    page.press("#password", "Enter")
    page.wait_for_selector("#listeners", timeout=on_a_relay.PATIENCE)
