"""No page of the console opens to who has no session, no token, another host's name or another site's page."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailmend.ui.web.endpoint import Endpoint
from mailmend.ui.web.pages import ENDPOINTS
from mailmend.ui.web.sessions import COOKIE, IDLE
from ui.web.consoles import ORIGIN, Visitor, log, looks

CLOSED = [each for each in ENDPOINTS if not each.public]
WRITES = [each for each in ENDPOINTS if each.method == "POST"]


def named(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


@pytest.fixture
def visitor(tmp_path: Path) -> Visitor:
    log(tmp_path / "mail.log")
    return Visitor(looks("gmail-refuses-ipv6", tmp_path / "mail.log", tmp_path / "state"))


def asked(
    visitor: Visitor, endpoint: Endpoint, *, token: str | None = None, headers: dict[str, str] | None = None
) -> int:
    """The status of asking *endpoint*; a stream is none that is waited for."""
    path = endpoint.path.replace("{", "").replace(":path}", "").replace("}", "")
    sent = {"Origin": ORIGIN, **(headers or {})}
    data = {"token": visitor.session.token if token is None else token} if endpoint.method == "POST" else None
    answer = visitor.client.request(endpoint.method, path, data=data, headers=sent, follow_redirects=False)
    return answer.status_code


def test_whoever_is_logged_in_is_let_in(visitor: Visitor) -> None:
    assert visitor.client.get("/changes").status_code == 200


@pytest.mark.parametrize("endpoint", CLOSED, ids=named)
def test_without_a_session(visitor: Visitor, endpoint: Endpoint) -> None:
    visitor.client.cookies.clear()
    assert asked(visitor, endpoint) == 401


@pytest.mark.parametrize("endpoint", CLOSED, ids=named)
def test_with_a_cookie_that_is_nobodys(visitor: Visitor, endpoint: Endpoint) -> None:
    visitor.client.cookies.clear()
    visitor.client.cookies.set(COOKIE, "x" * 43)
    assert asked(visitor, endpoint) == 401


@pytest.mark.parametrize("endpoint", CLOSED, ids=named)
def test_with_a_session_that_is_over(visitor: Visitor, endpoint: Endpoint) -> None:
    visitor.session.seen -= IDLE + 1
    assert asked(visitor, endpoint) == 401


@pytest.mark.parametrize("endpoint", [each for each in WRITES if not each.public], ids=named)
@pytest.mark.parametrize("token", ["", "x" * 43], ids=["no token", "another token"])
def test_a_write_without_the_token_of_the_session(visitor: Visitor, endpoint: Endpoint, token: str) -> None:
    assert asked(visitor, endpoint, token=token) == 403


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=named)
def test_asked_by_another_name(visitor: Visitor, endpoint: Endpoint) -> None:
    assert asked(visitor, endpoint, headers={"Host": "evil.example"}) == 403


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1, evil.example",
        "127.0.0.1/evil",
        "127.0.0.1#.evil.example",
        "evil@127.0.0.1",
        "127.0.0.1:x",
        "[::1",
    ],
)
def test_a_host_that_is_no_host_is_none(visitor: Visitor, host: str) -> None:
    assert visitor.client.get("/login", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("host", ["LOCALHOST", "127.0.0.1:8025", "[::1]:8025"])
def test_this_host_is_one_in_any_spelling(visitor: Visitor, host: str) -> None:
    assert visitor.client.get("/login", headers={"Host": host}).status_code in (200, 303)


@pytest.mark.parametrize("endpoint", WRITES, ids=named)
@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1:1"])
def test_a_write_from_another_site(visitor: Visitor, endpoint: Endpoint, origin: str) -> None:
    assert asked(visitor, endpoint, headers={"Origin": origin}) == 403


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=named)
def test_what_another_site_embeds(visitor: Visitor, endpoint: Endpoint) -> None:
    sent = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"}
    assert asked(visitor, endpoint, headers=sent) == 403


def test_every_answer_tells_the_browser_what_it_may_load(visitor: Visitor) -> None:
    for path in ("/", "/login", "/static/console.js", "/nothing-here", "/openapi.json"):
        policy = visitor.client.get(path).headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy


def test_what_only_reads_changes_nothing_and_says_where_it_is_done(visitor: Visitor) -> None:
    told = visitor.post("/propose", 409, what="set", name="inet_protocols", value="ipv4")
    assert "mailmend set inet_protocols=ipv4" in told
