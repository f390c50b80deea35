"""What a banner says, and where a change on trial is ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mailmend.ui.helper.sessions import Sessions
from mailmend.ui.web.console import Console


@pytest.mark.parametrize(("by", "here"), [("root", False), ("console:0123abcd@::1", True)])
def test_a_change_on_trial_is_ended_where_it_was_begun(by: str, here: bool) -> None:
    asked = Console(Sessions(), frozenset({"localhost"}), helper=Path("/run/mailmend/helper.sock"))
    record = {"id": "20260101-000000-set", "by": by, "confirm_by": None}
    session: Any = type("Session", (), {"token": "t"})
    text = asked.templates.get_template("_banner.html").render(
        console=asked,
        session=session,
        act=None,
        under_way=False,
        trials=[record],
        interrupted=None,
        not_live=[],
    )
    assert ('id="confirm"' in text) is here
    assert ("begun in a terminal" in text) is not here
    assert ("mailmend confirm 20260101-000000-set" in text) is not here
