"""An operator at a real terminal of a real relay: what is asked, what is shown, what a pipe gets instead."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import pytest

pytestmark = pytest.mark.lab

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def relay(lab: Any) -> Any:
    """Forwards to Gmail, over IPv6 first, and has been refused there: enough for a remedy."""
    lab.reset()
    lab.relay.reset(main={})
    lab.relay.start()
    lab.outcomes(lab.send(count=16))
    return lab.relay


def at_a_terminal(relay: Any, command: str, typed: str = "", width: int = 80) -> Any:
    """*command* under a pty of *width* columns, as script(1) makes one."""
    line = f"export TERM=xterm COLUMNS={width}; exec {sys.executable} -m mailmend {command}"
    return relay.run(["script", "-qec", line, "/dev/null"], input=typed, timeout=90)


def main_cf(relay: Any) -> str:
    return str(relay.read("/etc/postfix/main.cf"))


@pytest.mark.parametrize("typed", ["n\n", "\n"], ids=["no", "just Enter"])
def test_no_is_no(relay: Any, typed: str) -> None:
    before = main_cf(relay)
    done = at_a_terminal(relay, "fix", typed)
    assert done.returncode == 4
    assert "Apply this? [y/N]" in done.stdout
    assert main_cf(relay) == before


def test_a_pipe_is_shown_the_plan_and_nothing_is_changed(relay: Any) -> None:
    before = main_cf(relay)
    done = relay.mailmend("fix", input="y\n")
    assert done.returncode == 4
    assert "+smtp_dns_reply_filter" in done.stdout
    assert "\x1b" not in done.stdout
    assert done.stderr.splitlines()[-1].startswith("mailmend: nothing was changed")
    assert main_cf(relay) == before


def test_yes_applies_proves_and_can_be_taken_back(relay: Any) -> None:
    before = main_cf(relay)
    done = at_a_terminal(relay, "fix", "y\n")
    assert done.returncode == 0, done.stdout
    assert "\x1b[32m  +smtp_dns_reply_filter" in done.stdout
    last = COLOUR.sub("", done.stdout).strip().splitlines()[-1]
    assert last.startswith("To take it back: mailmend undo ")
    assert main_cf(relay) != before
    assert "ipv4-for-receiver" in relay.mailmend("status").stdout
    assert relay.mailmend(*last.split("mailmend ")[1].split()).returncode == 0
    assert main_cf(relay) == before


def test_status_writes_listeners_as_ss_does(relay: Any) -> None:
    done = relay.mailmend("status")
    for line in relay.listeners_ss().splitlines():
        users = re.search(r"(\S+:25)\s.*(users:\(\(\"master\",pid=\d+,fd=\d+\)\))", line)
        if users:
            assert re.search(rf"{re.escape(users.group(1))} +{re.escape(users.group(2))}", done.stdout), (
                done.stdout
            )


@pytest.mark.parametrize("width", [80, 120])
def test_no_screen_is_wider_than_the_terminal_but_for_what_must_stay_whole(relay: Any, width: int) -> None:
    for command in ("check", "status", "fix --dry-run", "history", "explain --cause saved-not-loaded"):
        shown = COLOUR.sub("", at_a_terminal(relay, command, width=width).stdout)
        # Where the machine is slow, the progress is drawn, over itself: each drawing is a line of its own.
        for line in re.split(r"[\r\n]|\x1b\[2K", shown):
            whole = (
                line.startswith(("    ", "  +", "  -")) or max(map(len, line.split()), default=0) > width / 2
            )
            assert len(line) <= width or whole, (command, line)


def test_json_is_one_document_without_colour_at_a_terminal_too(relay: Any) -> None:
    done = at_a_terminal(relay, "--json status")
    assert json.loads(done.stdout)["schema"] == "mailmend.status/1"


def test_a_bundle_for_a_report_names_no_mailbox_and_a_record_is_for_its_owner(relay: Any) -> None:
    relay.mailmend("--bundle", "/root/bundle.jsonl", "--record", "/root/record.jsonl", "check")
    bundle, record = relay.read("/root/bundle.jsonl"), relay.read("/root/record.jsonl")
    assert "alice@sender.example" in record
    assert "alice@" not in bundle
    assert "@sender.example" in bundle
    modes = relay.run(["stat", "-c", "%a", "/root/bundle.jsonl", "/root/record.jsonl"]).stdout.split()
    assert modes == ["600", "600"]
