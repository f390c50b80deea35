"""Whatever is asked of the console by its own description, it answers without a bug."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from mailmend.ui.web.endpoint import Endpoint, openapi
from mailmend.ui.web.pages import ENDPOINTS
from mailmend.ui.web.sessions import COOKIE
from ui.web.consoles import ORIGIN, Visitor, log, looks, served

# A stream is read on its own, as far as it begins; a logout ends the session that it is asked in.
ASKED = tuple(each for each in ENDPOINTS if each.path not in ("/live", "/logout"))
LIVE, LOGOUT = (next(each for each in ENDPOINTS if each.path == path) for path in ("/live", "/logout"))
PLAIN, FULL = 6, 10_000


def answered(visitor: Visitor, endpoint: Endpoint, case: Any) -> int:
    kwargs = case.as_transport_kwargs(base_url=ORIGIN)
    fields = dict(case.body) if isinstance(case.body, dict) else {}
    fields["token"] = visitor.session.token
    answer = visitor.client.request(
        endpoint.method,
        kwargs["url"],
        params=kwargs.get("params"),
        data={name: value if isinstance(value, list) else str(value) for name, value in fields.items()}
        if endpoint.method == "POST"
        else None,
        headers={"Origin": ORIGIN},
        follow_redirects=False,
    )
    status: int = answer.status_code
    return status


def go_through(config: pytest.Config, endpoint: Endpoint, ask: Callable[[Any], int]) -> None:
    """Every answer to a case of *endpoint*, as its own description makes them, is one that was meant."""
    schema = schemathesis.openapi.from_dict(openapi((endpoint,), "1"))
    operation = schema[endpoint.path.replace(":path}", "}")][endpoint.method]

    @settings(
        max_examples=FULL // len(ENDPOINTS) + 1 if config.getoption("--full") else PLAIN,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(some.data())
    def asked(data: some.DataObject) -> None:
        assert ask(data.draw(operation.as_strategy())) < 500

    asked()


@pytest.fixture
def visitor(tmp_path: Path) -> Visitor:
    log(tmp_path / "mail.log", refused=2, sent=2)
    return Visitor(looks("gmail-refuses-ipv6", tmp_path / "mail.log", tmp_path / "state"))


@pytest.mark.parametrize("endpoint", ASKED, ids=lambda each: f"{each.method} {each.path}")
def test_no_answer_is_a_bug(pytestconfig: pytest.Config, visitor: Visitor, endpoint: Endpoint) -> None:
    go_through(pytestconfig, endpoint, lambda case: answered(visitor, endpoint, case))


def test_a_logout_ends_the_session_and_is_no_bug(pytestconfig: pytest.Config, visitor: Visitor) -> None:
    def logs_out(case: Any) -> int:
        visitor.log_in()
        status = answered(visitor, LOGOUT, case)
        assert not visitor.console.sessions._open
        return status

    go_through(pytestconfig, LOGOUT, logs_out)


def test_a_stream_begins_or_is_refused_and_is_no_bug(pytestconfig: pytest.Config, visitor: Visitor) -> None:
    cookies = {COOKIE: visitor.client.cookies[COOKIE]}
    with served(visitor.console) as address, httpx.Client(cookies=cookies, timeout=60) as client:

        def begins(case: Any) -> int:
            asked = case.as_transport_kwargs(base_url=address)
            with client.stream("GET", asked["url"], params=asked.get("params")) as answer:
                if answer.status_code == 200:
                    assert next(answer.iter_lines()).startswith("retry:")
                return int(answer.status_code)

        go_through(pytestconfig, LIVE, begins)
