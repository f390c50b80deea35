"""What operators really hand in, on servers as they really are: one clear line, the right exit status, no change."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailmend import receivers

pytestmark = pytest.mark.lab

USAGE, CANNOT_LOOK, REFUSED = 2, 3, 4


@pytest.fixture
def server(lab: Any) -> Any:
    lab.reset()
    lab.relay.start()
    return lab.relay


def snapshot(server: Any) -> str:
    """Every byte below /etc/postfix, and which master runs."""
    sums = server.run(["find", "/etc/postfix", "-type", "f", "-exec", "sha256sum", "{}", "+"]).stdout
    return str(sums + server.run(["cat", "/var/spool/postfix/pid/master.pid"]).stdout)


def one_line(text: str) -> str:
    """The last thing said on stderr, which must be one line for a person."""
    assert "Traceback" not in text
    lines = [line for line in text.splitlines() if line.strip()]
    assert lines, "nothing was said"
    return lines[-1]


# ---- things that are no bounce ------------------------------------------------------------

NO_BOUNCE: dict[str, tuple[bytes, tuple[int, ...]]] = {
    "an empty file": (b"", (1, 2)),
    "white space": (b" \r\n\t\n", (1, 2)),
    "a shopping list": (b"milk\nbread\n", (1,)),
    "an ordinary mail": (
        b"From: a@sender.example\r\nTo: b@example.org\r\nSubject: lunch\r\n\r\nAt noon?\r\n",
        (1,),
    ),
    "binary": (bytes(range(256)) * 40, (1, 2)),
    "5 MB of zeros": (b"\0" * 5_000_000, (1, 2)),
    "5 MB of one line": (b"550 5.7.1 " + b"x" * 5_000_000, (1, 2)),
    "5 MB of lines": (b"nothing to see here\n" * 250_000, (1, 2)),
}


@pytest.mark.parametrize("name", NO_BOUNCE)
def test_no_bounce_is_an_answer(server: Any, name: str) -> None:
    data, statuses = NO_BOUNCE[name]
    done = server.mailmend("explain", "-", input=data.decode("utf-8", "surrogateescape"))
    assert done.returncode in statuses, done.stdout[-300:] + done.stderr[-300:]
    assert "Traceback" not in done.stderr
    assert len(done.stdout) < 20_000


def test_files_that_are_not_there_or_none(server: Any) -> None:
    for path in ("/nonexistent", "/etc"):
        done = server.mailmend("explain", path)
        assert done.returncode in (USAGE, CANNOT_LOOK)
        assert path in one_line(done.stderr)


# ---- servers that cannot be looked at -----------------------------------------------------


def without_postfix(server: Any) -> None:
    server.run(["mv", "/usr/sbin/postconf", "/usr/sbin/postconf.away"])


def without_main_cf(server: Any) -> None:
    server.run(["mv", "/etc/postfix/main.cf", "/etc/postfix/main.away"])


def main_cf_with_an_error(server: Any) -> None:
    server.write("/etc/postfix/main.cf", server.read("/etc/postfix/main.cf") + "\nthis line is no setting\n")


def main_cf_that_is_a_directory(server: Any) -> None:
    without_main_cf(server)
    server.run(["mkdir", "/etc/postfix/main.cf"])


WRONG: list[tuple[str, Callable[[Any], None], tuple[str, ...]]] = [
    ("no Postfix", without_postfix, ("ostfix", "ostconf")),
    ("Postfix without main.cf", without_main_cf, ("main.cf",)),
    ("a main.cf with an error", main_cf_with_an_error, ("main.cf", "this line is no setting")),
    ("a main.cf that is a folder", main_cf_that_is_a_directory, ("main.cf",)),
]
COMMANDS = (
    ["check"],
    ["status"],
    ["fix", "--yes"],
    ["fix", "--remedy", "ipv4-only", "--yes"],
    ["apply"],
    ["prove"],
)


@pytest.fixture
def put_back(server: Any) -> Any:
    yield
    server.run(
        ["sh", "-c", "test -e /usr/sbin/postconf.away && mv /usr/sbin/postconf.away /usr/sbin/postconf"]
    )
    server.run(["rmdir", "/etc/postfix/main.cf"])


def spoilt() -> list[Any]:
    """Each command on each such server; a third of them without --slow, none left out."""
    return [
        pytest.param(
            *wrong,
            command,
            id=f"{wrong[0]}-{' '.join(command)}",
            marks=pytest.mark.slow if (row + column) % 3 else (),
        )
        for row, wrong in enumerate(WRONG)
        for column, command in enumerate(COMMANDS)
    ]


@pytest.mark.parametrize(("name", "spoil", "named", "command"), spoilt())
def test_a_server_that_cannot_be_read_is_left_alone(
    server: Any,
    put_back: Any,
    name: str,
    spoil: Callable[[Any], None],
    named: tuple[str, ...],
    command: list[str],
) -> None:
    spoil(server)
    before = snapshot(server)
    done = server.mailmend(*command)
    assert done.returncode in (CANNOT_LOOK, REFUSED) or (
        name == "a main.cf with an error" and done.returncode in (0, 1, CANNOT_LOOK, REFUSED)
    ), done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if done.returncode >= CANNOT_LOOK:
        assert any(word in one_line(done.stderr) for word in named), done.stderr
    assert snapshot(server) == before


def test_with_json_the_error_is_one_document_too(server: Any, put_back: Any) -> None:
    without_main_cf(server)
    done = server.mailmend("check", "--json")
    assert done.returncode == CANNOT_LOOK
    assert json.loads(done.stdout)["error"]["kind"] == "cannot-look"


# ---- people and networks ------------------------------------------------------------------


@pytest.mark.parametrize("command", [["fix", "--yes"], ["undo"], ["apply"], ["webmin"]], ids=" ".join)
def test_without_permission_nothing_is_changed(server: Any, command: list[str]) -> None:
    before = snapshot(server)
    done = server.mailmend(*command, user=65534)
    assert done.returncode == REFUSED, done.stdout + done.stderr
    assert "root" in one_line(done.stderr)
    assert snapshot(server) == before


def test_without_permission_what_cannot_be_seen_is_unknown(server: Any) -> None:
    knowledge = Path(receivers.__file__).resolve()
    if any(not folder.stat().st_mode & 0o005 for folder in knowledge.parents):
        pytest.skip(f"{knowledge} lies where only its owner may read")
    done = server.mailmend("--json", "check", user=65534)
    findings = json.loads(done.stdout)["findings"]
    assert {f["standing"] for f in findings if f["check"] in ("listeners", "receiver-log")} == {"unknown"}
    assert "cleared" in {f["standing"] for f in findings if f["check"] == "ptr"}


@pytest.mark.parametrize("mode", [pytest.param("dead", marks=pytest.mark.slow), "servfail"])
def test_a_resolver_that_does_not_answer_is_unknown_within_ten_seconds(
    lab: Any, server: Any, mode: str
) -> None:
    """The product keeps this deadline itself; nothing is measured and nothing changed meanwhile."""
    before = snapshot(server)
    lab.dns.mode(mode)
    done = server.mailmend("--json", "check", "gmail.com", timeout=10)
    findings = json.loads(done.stdout)["findings"]
    by_dns = [f for f in findings if f["check"] in ("ptr", "spf")]
    assert by_dns
    assert {f["standing"] for f in by_dns} == {"unknown"}
    fixed = server.mailmend("--json", "fix", "--yes", timeout=30)
    assert fixed.returncode in (0, 1, CANNOT_LOOK), fixed.stdout + fixed.stderr
    assert snapshot(server) == before


def test_a_resolver_that_lies_makes_no_change_by_itself(lab: Any, server: Any) -> None:
    before = snapshot(server)
    lab.dns.mode("lying")
    done = server.mailmend("--json", "check", "gmail.com", timeout=20)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    findings = [f for f in json.loads(done.stdout)["findings"] if f["cause"] == "fcrdns-mismatch"]
    assert {f["standing"] for f in findings} == {"measured"}
    assert snapshot(server) == before
