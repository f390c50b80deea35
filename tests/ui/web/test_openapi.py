"""Whatever is asked of the console by its own description, it answers without a bug."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from mailmend.ui.web.endpoint import Endpoint, openapi
from mailmend.ui.web.pages import ENDPOINTS
from ui.web.consoles import ORIGIN, Visitor, log, looks

# A stream ends with the page, and a logout with the session.
ASKED = tuple(each for each in ENDPOINTS if each.path not in ("/live", "/logout", "/login"))
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


@pytest.mark.parametrize("endpoint", ASKED, ids=lambda each: f"{each.method} {each.path}")
def test_no_answer_is_a_bug(pytestconfig: pytest.Config, tmp_path: Path, endpoint: Endpoint) -> None:
    log(tmp_path / "mail.log", refused=2, sent=2)
    visitor = Visitor(looks("gmail-refuses-ipv6", tmp_path / "mail.log", tmp_path / "state"))
    schema = schemathesis.openapi.from_dict(openapi((endpoint,), "1"))
    operation = schema[endpoint.path.replace(":path}", "}")][endpoint.method]
    full = bool(pytestconfig.getoption("--full"))

    @settings(
        max_examples=FULL // len(ASKED) + 1 if full else PLAIN,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(some.data())
    def asked(data: some.DataObject) -> None:
        assert answered(visitor, endpoint, data.draw(operation.as_strategy())) < 500

    asked()
