"""What is offered leads somewhere: plain `fix` only where it may choose a remedy by itself."""

from __future__ import annotations

import pytest

from mailmend.ui.commands.knowing import way_to


@pytest.mark.parametrize(
    ("remedies", "command"),
    [
        ((), ""),
        (("prayer",), ""),
        (("pace",), "mailmend fix --remedy pace"),
        (("dkim-sign", "dns-records"), "mailmend fix"),
        (("pace", "ipv4-for-receiver"), "mailmend fix"),
        (("prayer", "ipv4-only", "pace"), "mailmend fix --remedy ipv4-only"),
        (("hold",), "mailmend fix"),
    ],
)
def test_the_command_that_leads_to_a_remedy(remedies: tuple[str, ...], command: str) -> None:
    assert way_to(remedies) == command
