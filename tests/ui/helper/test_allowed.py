"""Of every setting that is known: from a page as it is, with a fresh code, or never."""

from __future__ import annotations

import pytest

from mailmend import settings
from mailmend.model import FileEdit, Refused
from mailmend.road import tiers
from mailmend.ui.helper.allowed import needs_step_up

MAIN = "myhostname = a.example\n"


def edit(text: str) -> tuple[FileEdit, ...]:
    return (FileEdit("/etc/postfix/main.cf", MAIN, MAIN + text),)


@pytest.mark.parametrize(
    "name", ["daemon_directory", "import_environment", "never_heard_of_it", "openssl_path"]
)
def test_what_is_equal_to_root_or_unknown_is_typed_on_a_terminal(name: str) -> None:
    with pytest.raises(Refused, match="not changed from a page") as refused:
        needs_step_up(edit(f"{name} = x\n"))
    assert refused.value.next_step == f"mailmend set {name}=VALUE"


@pytest.mark.parametrize(
    "name", ["mynetworks", "relayhost", "mailbox_command", "smtpd_recipient_restrictions"]
)
def test_what_opens_the_relay_or_runs_code_asks_for_a_code(name: str) -> None:
    assert needs_step_up(edit(f"{name} = x\n"))


@pytest.mark.parametrize("name", ["inet_protocols", "message_size_limit", "smtpd_banner"])
def test_what_is_plain_asks_for_nothing(name: str) -> None:
    assert not needs_step_up(edit(f"{name} = 1\n"))


def test_a_plain_setting_does_not_carry_another_one_through() -> None:
    with pytest.raises(Refused):
        needs_step_up(edit("message_size_limit = 1\ndaemon_directory = /tmp\n"))
    assert needs_step_up(edit("message_size_limit = 1\nmynetworks = 0.0.0.0/0\n"))


def test_no_setting_falls_between() -> None:
    """What is said here is what the tiers say, for each one that has any."""
    for name in settings.load().names():
        for touched in tiers.touched(edit(f"{name} = 1\n")):
            if touched.tier in ("R", "unlisted"):
                with pytest.raises(Refused):
                    needs_step_up(edit(f"{name} = 1\n"))
                break
        else:
            assert needs_step_up(edit(f"{name} = 1\n")) == any(
                t.tier != "P" for t in tiers.touched(edit(f"{name} = 1\n"))
            )
