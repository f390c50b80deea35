"""Of every setting that is known: from a page as it is, with a fresh code, or never."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mailmend import settings
from mailmend.model import Evidence, FileEdit, Question, Refused
from mailmend.parse import assignment
from mailmend.questions import File, FileState, Setting, SettingValue
from mailmend.road import tiers
from mailmend.ui.helper.allowed import needs_step_up, require_plain_names

FOLDER = "/etc/postfix"
MAIN = "myhostname = a.example\n"
MASTER = "smtp unix - - y - - smtp\n"


class Host:
    """A host whose configuration is *files*."""

    def __init__(self, **files: str) -> None:
        self.files = {"main.cf": MAIN, "master.cf": MASTER} | {
            k.replace("_", "."): v for k, v in files.items()
        }

    def ask(self, question: Question[Any]) -> Evidence[Any]:
        answer: Any = SettingValue(FOLDER, None)
        if isinstance(question, File):
            text = self.files[question.path.removeprefix(f"{FOLDER}/")]
            answer = FileState(question.path, True, text, 0o644, "root", None, None)
        else:
            assert question == Setting("config_directory")
        return Evidence(question, answer, None, datetime(2026, 11, 22, tzinfo=UTC))


HOST = Host()


def edit(text: str) -> tuple[FileEdit, ...]:
    return (FileEdit(f"{FOLDER}/main.cf", MAIN, MAIN + text),)


@pytest.mark.parametrize(
    "name", ["daemon_directory", "import_environment", "never_heard_of_it", "openssl_path"]
)
def test_what_is_equal_to_root_or_unknown_is_typed_on_a_terminal(name: str) -> None:
    with pytest.raises(Refused, match="not changed from a page") as refused:
        needs_step_up(edit(f"{name} = x\n"), HOST)
    assert refused.value.next_step == f"mailmend set {name}=VALUE"


def test_what_a_service_makes_of_a_plain_setting_is_seen_though_its_line_stays() -> None:
    """`-o data_directory=/var/lib/$mydomain` becomes another folder without a byte of master.cf being touched."""
    made = Host(master_cf=f"{MASTER}  -o data_directory=/var/lib/$mydomain\n")
    assert not needs_step_up(edit("mydomain = a.example\n"), HOST)
    with pytest.raises(Refused, match="data_directory is not changed from a page"):
        needs_step_up(edit("mydomain = postfix\n"), made)
    with pytest.raises(Refused, match="daemon_directory is not changed from a page"):
        needs_step_up(
            (FileEdit(f"{FOLDER}/main.cf", "daemon_directory = /usr/$mydomain\n", "daemon_directory = /usr/$mydomain\n"
                      "mydomain = x\n"),), HOST)  # fmt: skip


@pytest.mark.parametrize(
    "typed",
    ["smtp/unix/data_directory=/var/lib/postfix", "smtp/unix=smtp unix - - n - - smtp", "smtp/unix/chroot=n",
     "smtp/unix/command=smtp", "daemon_directory=/usr/lib/postfix/sbin", "never_heard_of_it=1"],
)  # fmt: skip
def test_its_name_alone_is_refused_for_a_page_can_type_anything(typed: str) -> None:
    with pytest.raises(Refused, match="not changed from a page"):
        require_plain_names([assignment.parse(typed)])


@pytest.mark.parametrize(
    "typed", ["inet_protocols=ipv4", "smtp/unix/inet_protocols=ipv4", "smtp/unix/process_limit=5"]
)
def test_a_plain_name_may_be_asked_for(typed: str) -> None:
    require_plain_names([assignment.parse(typed)])


@pytest.mark.parametrize(
    "name", ["mynetworks", "relayhost", "mailbox_command", "smtpd_recipient_restrictions"]
)
def test_what_opens_the_relay_or_runs_code_asks_for_a_code(name: str) -> None:
    assert needs_step_up(edit(f"{name} = x\n"), HOST)


@pytest.mark.parametrize("name", ["inet_protocols", "message_size_limit", "smtpd_banner"])
def test_what_is_plain_asks_for_nothing(name: str) -> None:
    assert not needs_step_up(edit(f"{name} = 1\n"), HOST)


def test_a_plain_setting_does_not_carry_another_one_through() -> None:
    with pytest.raises(Refused):
        needs_step_up(edit("message_size_limit = 1\ndaemon_directory = /tmp\n"), HOST)
    assert needs_step_up(edit("message_size_limit = 1\nmynetworks = 0.0.0.0/0\n"), HOST)


def test_no_setting_falls_between() -> None:
    """What is said here is what the tiers say, for each one that has any."""
    for name in settings.load().names():
        files = edit(f"{name} = 1\n")
        found = {each.tier for each in tiers.touched(files)}
        if found & {"R", "unlisted"}:
            with pytest.raises(Refused):
                needs_step_up(files, HOST)
        else:
            assert needs_step_up(files, HOST) == bool(found - {"P"}), name
