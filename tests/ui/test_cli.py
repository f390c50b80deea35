"""The command line as it is typed: what it takes, what it answers, and that bad input gets one clear line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mailmend.jobs.here import Here
from mailmend.ui import cli
from ui.typed import BOUNCE, mailmend, told
from worlds.world import World, load

COMMANDS = (
    "explain",
    "check",
    "status",
    "fix",
    "set",
    "rehearse",
    "apply",
    "confirm",
    "undo",
    "history",
    "hold",
    "prove",
    "report",
    "trace",
    "ingest",
    "list",
    "webmin",
    "web",
    "bench",
    "demo",
)


def process(*argv: str, **how: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mailmend", *argv],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **how,
    )


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Be on the host of a world of tests/worlds."""

    def be(name: str, settings: dict[str, str] | None = None) -> World:
        world = load(name)
        world.data["settings"].update(settings or {})
        here = Here(world.probe(), state=tmp_path)
        monkeypatch.setattr(cli, "this_host", lambda: here)
        return world

    return be


# ---- what must not be there ---------------------------------------------------------------


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from mailmend.ui.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'rich', 'dns', 'dkim', 'msgspec', 'tomllib', 'asyncio', 'mailmend.catalogue', 'mailmend.system'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_explaining_imports_no_network_and_no_check() -> None:
    script = (
        "import sys; from mailmend.ui.cli import main\n"
        f"try: main(['explain', {str(BOUNCE)!r}])\n"
        "except SystemExit: pass\n"
        "heavy = ('dns', 'dkim', 'msgspec', 'asyncio', 'rich.markdown', 'pygments', 'mailmend.checks.ptr',"
        " 'mailmend.system')\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


# ---- bad input ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        pytest.param(["fxi"], "no such command 'fxi'. Did you mean 'fix'?", id="misspelt command"),
        pytest.param(["explain", "--chek"], "--check", id="misspelt option"),
        pytest.param(["list", "cause"], "causes", id="misspelt list"),
        pytest.param(["explain", "/nowhere/x.eml"], "/nowhere/x.eml: no such file", id="no such file"),
        pytest.param(["explain", "/usr"], "/usr is a directory", id="a directory"),
        pytest.param(["explain", "--cause", "ptr-mising"], "did you mean ptr-missing?", id="misspelt cause"),
        pytest.param(["explain", "--cause", "zzz"], "mailmend list causes", id="no cause at all"),
        pytest.param(
            ["fix", "--remedy", "ipv4-reciever"], "did you mean ipv4-for-receiver?", id="misspelt remedy"
        ),
        pytest.param(["fix", "--remedy", "zzz"], "ipv4-for-receiver", id="no remedy at all"),
        pytest.param(["fix", "--to", "nobody"], "nobody is not an address", id="no address"),
        pytest.param(["--replay", "/nowhere", "check"], "/nowhere is no recording", id="no recording"),
        pytest.param(["prove", "-o@x"], "", id="an option, not an address"),
    ],
)
def test_one_clear_line_says_what_is_wrong_and_what_to_do(argv: list[str], line: str) -> None:
    result = mailmend(*argv)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert line in result.stderr
    assert result.stderr.startswith("mailmend: ")
    assert result.stderr.count("\n") == 1
    document = told(mailmend("--json", *argv))
    assert document["schema"] == "mailmend.error/1"
    assert document["error"]["next_step"]


@pytest.mark.parametrize(
    ("content", "status", "line"),
    [
        pytest.param(b"", 2, "empty", id="empty"),
        pytest.param(b"\x7fELF\0\0\1\2" * 99, 2, "binary", id="binary"),
        pytest.param(b"x" * (5 * 1024 * 1024 + 1), 2, "5 MB", id="more than 5 MB"),
        pytest.param(b"Dear all,\n\nlunch is at noon.\n", 1, "", id="no bounce"),
    ],
)
def test_what_is_no_bounce_is_said_to_be_none(tmp_path: Path, content: bytes, status: int, line: str) -> None:
    file = tmp_path / "given"
    file.write_bytes(content)
    for result in (mailmend("explain", str(file)), mailmend("explain", stdin=content)):
        assert result.exit_code == status
        assert line in result.stderr
        assert ("No refusal found" in result.stdout) is (status == 1)


def test_a_file_of_five_megabytes_is_answered_in_time(tmp_path: Path) -> None:
    file = tmp_path / "mail.log"
    line = b"Nov 22 10:56:24 mail postfix/smtpd[12]: connect from x.example.net[192.0.2.7]\n"
    file.write_bytes(line * (5 * 1024 * 1024 // len(line)))
    begun = time.monotonic()
    assert process("explain", str(file)).returncode in (1, 2)
    assert time.monotonic() - begun < 10


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not read")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    file = tmp_path / "bounce.eml"
    file.write_bytes(BOUNCE.read_bytes())
    file.chmod(0o600)
    # All is imported while we may still read it; then we are nobody.
    script = (
        "import os, sys; from mailmend.ui.cli import main\n"
        f"try: main(['explain', {str(BOUNCE)!r}])\n"
        "except SystemExit: pass\n"
        "os.setgid(65534); os.setuid(65534); main(['explain', sys.argv[1]])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 3
    assert done.stderr == f"mailmend: {file} may not be read by you; run it with sudo, or make it readable\n"


def test_no_command_at_all_shows_what_there_is() -> None:
    result = mailmend()
    assert result.exit_code == 2
    assert "explain" in result.stderr
    assert told(mailmend("--json"))["error"]["kind"] == "usage"


# ---- check, on hosts that we know ---------------------------------------------------------


def test_a_host_in_order_is_clean(host: Any) -> None:
    host(
        "all-is-well",
        settings={"smtpd_milters": "inet:127.0.0.1:8891", "non_smtpd_milters": "$smtpd_milters"},
    )
    result = mailmend("check")
    assert result.exit_code == 0, result.output
    assert "problem" not in result.stdout


def test_a_host_with_a_problem_says_what_to_do_next(host: Any) -> None:
    host("gmail-refuses-ipv6")
    result = mailmend("check")
    assert result.exit_code == 1
    assert "mailmend fix" in result.stdout.split("Go on with")[1]
    document = told(mailmend("--json", "check"))
    measured = [f for f in document["findings"] if f["standing"] == "measured"]
    assert measured
    assert all(f["check"] and f["subject"] and f["summary"] for f in measured)
    assert any(look["question"]["ask"] and look["at"] for f in measured for look in f["evidence"])


def test_a_host_without_postfix_could_not_be_looked_at(host: Any) -> None:
    host("postfix-cannot-be-read")
    for command in ("check", "status", "prove"):
        result = mailmend(command)
        assert result.exit_code == 3, result.output
        assert result.stderr.count("\n") == 1


def test_explain_check_lets_the_host_decide(host: Any) -> None:
    host("gmail-refuses-ipv6")
    result = mailmend("--json", "explain", "--check", str(BOUNCE))
    assert result.exit_code == 0, result.output
    assert told(result)["findings"]
    assert "What the checks say" in mailmend("explain", "--check", str(BOUNCE)).stdout


# ---- list ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "entry"),
    [
        ("causes", "ptr-missing"),
        ("receivers", "google"),
        ("checks", "ptr"),
        ("remedies", "ipv4-for-receiver"),
    ],
)
def test_list_names_what_is_known(what: str, entry: str) -> None:
    document = told(mailmend("--json", "list", what))
    assert entry in [item["id"] for item in document[what]]
    assert entry in mailmend("list", what).stdout


def test_help_names_every_command_in_the_order_of_the_road() -> None:
    lines = mailmend("--help").stdout.split("Commands:")[1].splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "][
        : len(COMMANDS)
    ] == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    result = mailmend(command, "--help")
    assert result.exit_code == 0
    assert len(result.stdout.split("Options:")[0].strip().splitlines()) >= 3


# ---- as a real process --------------------------------------------------------------------


def test_a_reader_that_leaves_early_is_no_error() -> None:
    shell = subprocess.Popen(
        [sys.executable, "-m", "mailmend", "--json", "list", "causes"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert shell.stdout and shell.stderr
    shell.stdout.close()
    assert shell.stderr.read() == b""
    assert shell.wait(30) == 0


def test_ctrl_c_is_one_line_and_130() -> None:
    waiting = subprocess.Popen(
        [sys.executable, "-m", "mailmend", "explain", "-"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # A shell's background job ignores Ctrl-C, and so would whatever it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )  # fmt: skip
    assert waiting.stdin and waiting.stderr
    time.sleep(1)
    waiting.send_signal(signal.SIGINT)
    assert waiting.stderr.read() == "mailmend: interrupted\n"
    assert waiting.wait(30) == 130
    waiting.stdin.close()


def test_the_module_is_the_command() -> None:
    done = process("--version")
    assert (done.returncode, done.stdout.split()[0]) == (0, "mailmend")


@pytest.mark.parametrize("locale", ["C", "POSIX"])
def test_a_terminal_without_unicode_gets_an_answer_too(locale: str) -> None:
    environment = {**os.environ, "LC_ALL": locale, "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = process("explain", str(BOUNCE), env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
