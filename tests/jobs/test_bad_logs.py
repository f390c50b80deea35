"""What is handed to report, trace and bench log and is no log that can be read: one clear line, the exit status."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mailmend.jobs.here import Here
from mailmend.model import CannotLook
from mailmend.ui.cli import main

USAGE, CANNOT_LOOK = 2, 3
LINE = (
    "Nov 22 10:00:{:02} mx1 postfix/smtp[7]: 4ABCDEF{:05X}: to=<b@example.net>, relay=mx.example.net[192.0.2.7]:25, "
    "delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok {})\n"
)
LOG = "".join(LINE.format(n % 60, n, n * 7919) for n in range(2000)).encode()
STATE = tempfile.TemporaryDirectory(prefix="mailmend-bad-logs-")
COMMANDS = {
    "report": ["report", "{}"],
    "trace": ["trace", "4ABCDEF00007", "{}"],
    "trace an address": ["trace", "b@example.net", "{}"],
    "bench log": ["bench", "log", "{}"],
    "ingest": ["ingest", "--state", "{state}", "{}"],
}
EXIM = (
    "2026-11-22 10:00:00 1abcde-000000-AB <= a@b.org H=x [192.0.2.1] P=esmtp S=900\n"
    "2026-11-22 10:00:00 1abcde-000000-AB => c@d.org R=dnslookup T=remote_smtp H=mx [192.0.2.2]\n"
)
NGINX = (
    '192.0.2.1 - - [22/Nov/2026:10:00:00 +0000] "GET /postfix/smtp[1]: HTTP/1.1" 200 612 "-" "curl/7.88"\n'
)
SENDMAIL = "Nov 22 10:00:00 mx1 sendmail[123]: 4AMA0000: to=<a@b.org>, delay=00:00:01, dsn=2.0.0, stat=Sent\n"


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Any:
    def mailmend(*argv: str) -> tuple[int, str, str]:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(argv))
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    return mailmend


def command(name: str, path: Path) -> list[str]:
    return [word.format(path, state=STATE.name) for word in COMMANDS[name]]


def is_one_line(text: str) -> str:
    """What stands on stderr besides progress: one line that names no place in the program."""
    lines = [line for line in text.replace("\r", "\n").splitlines() if line.startswith("mailmend: ")]
    told = [line for line in lines if not line.startswith(("mailmend: reading", "mailmend: searching"))]
    assert len(told) == 1, text
    assert "Traceback" not in text and "a bug" not in text
    return told[0]


def garbage(size: int) -> Iterator[bytes]:
    """Bytes, letters without end, lines of nothing, zeros: some of each."""
    dice = random.Random(size)  # noqa: S311
    for _ in range(size >> 20):
        yield dice.choice(
            (dice.randbytes(1 << 20), b"x" * (1 << 20), b"hello, world\r\n" * 75_000, bytes(1 << 20))
        )


# ---- no log of Postfix --------------------------------------------------------------------

NO_LOG: dict[str, bytes] = {
    "empty": b"",
    "white space": b" \r\n\t\n" * 100,
    "zeros": bytes(3_000_000),
    "one endless line": b"x" * 3_000_000,
    "lines of nothing": b"hello, world\n" * 100_000,
    "bytes": random.Random(7).randbytes(2_000_000),  # noqa: S311
    "letters of two bytes": LOG.decode().encode("utf-16"),
    "exim": EXIM.encode() * 500,
    "nginx": NGINX.encode() * 500,
    "sendmail": SENDMAIL.encode() * 500,
    "packed nothing": gzip.compress(b""),
    "packed exim": lzma.compress(EXIM.encode() * 500),
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("what", NO_LOG)
def test_what_has_no_line_of_postfix(run: Any, tmp_path: Path, name: str, what: str) -> None:
    path = tmp_path / "mail.log"
    path.write_bytes(NO_LOG[what])
    status, out, err = run(*command(name, path))
    if name == "ingest" and what in ("empty", "packed nothing"):  # as a log is that was rotated a moment ago
        assert status == 0
        return
    assert status == (CANNOT_LOOK if name == "bench log" and what.startswith("packed") else USAGE)
    assert out == ""
    assert str(path) in is_one_line(err)


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    "what", ["a directory", "a pipe", "a socket", "a device", "a link to itself", "not there", "below a file"]
)
def test_what_is_no_file(run: Any, tmp_path: Path, name: str, what: str) -> None:
    path = tmp_path / "mail.log"
    if what == "a directory":
        path.mkdir()
    elif what == "a device":
        path = Path("/dev/null")
    elif what == "a pipe":
        os.mkfifo(path)
    elif what == "a link to itself":
        path.symlink_to(path)
    elif what == "below a file":
        path.write_bytes(LOG)
        path /= "mail.log"
    with socket.socket(socket.AF_UNIX) as bound:
        if what == "a socket":
            bound.bind(str(path))
        status, out, err = run(*command(name, path))
    assert status == (USAGE if what in ("a directory", "a pipe", "a socket", "a device") else CANNOT_LOOK)
    assert out == ""
    assert str(path) in is_one_line(err)


def test_what_a_shell_hands_over_as_a_pipe_is_not_read_by_half(tmp_path: Path) -> None:
    """`report <(zcat mail.log.1.gz)`: what was read to look at it would be gone for good."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as cat:
        assert cat.stdin and cat.stdout
        cat.stdin.write(LOG[:20_000])
        argv = [sys.executable, "-m", "mailmend", "report", f"/dev/fd/{cat.stdout.fileno()}"]
        done = subprocess.run(
            argv, pass_fds=[cat.stdout.fileno()], capture_output=True, text=True, check=False
        )
        cat.stdin.close()
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert "is a pipe" in is_one_line(done.stderr)


def _zstd(text: bytes) -> bytes:
    return subprocess.run(["zstd", "-q"], input=text, capture_output=True, check=True).stdout


PACKERS = {"gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress, "zst": _zstd}


@pytest.mark.parametrize("name", ["report", "trace", "ingest"])
@pytest.mark.parametrize(
    "broken", ["its end is missing", "half of it is missing", "twelve bytes", "other bytes within"]
)
@pytest.mark.parametrize("packer", PACKERS)
def test_what_cannot_be_unpacked_to_its_end(
    run: Any, tmp_path: Path, name: str, packer: str, broken: str
) -> None:
    if packer == "zst" and not shutil.which("zstd"):
        pytest.skip("there is no zstd here")
    whole = PACKERS[packer](LOG)
    path = tmp_path / f"mail.log.1.{packer}"
    half = len(whole) // 2
    path.write_bytes(
        {
            "its end is missing": whole[:-30],
            "half of it is missing": whole[:half],
            "twelve bytes": whole[:12],
            "other bytes within": whole[:half] + b"x" * 40 + whole[half + 40 :],
        }[broken]
    )
    status, out, err = run(*command(name, path))
    assert (status, out) == (CANNOT_LOOK, "")
    assert str(path) in is_one_line(err)


@pytest.mark.parametrize("name", ["report", "trace", "ingest"])
def test_with_json_it_is_one_document(run: Any, tmp_path: Path, name: str) -> None:
    for what, kind in (("not there", "cannot-look"), ("exim", "parse")):
        path = tmp_path / what
        if what in NO_LOG:
            path.write_bytes(NO_LOG[what])
        _, out, _ = run("--json", *command(name, path))
        assert json.loads(out)["error"]["kind"] == kind


@pytest.mark.parametrize(
    "since", ["yesterdayish", "2026-13-01", "0", "", "--", "2026-11-22T25:00", "1e9 days"]
)
@pytest.mark.parametrize("name", ["report", "trace"])
def test_a_time_that_is_none(run: Any, tmp_path: Path, name: str, since: str) -> None:
    path = tmp_path / "mail.log"
    path.write_bytes(LOG)
    status, out, err = run(*command(name, path), "--since", since)
    assert (status, out) == (USAGE, "")
    is_one_line(err)


def test_a_file_that_gets_shorter_while_it_is_read_is_not_told_as_if_it_were_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mailmend.system import logfiles

    path = tmp_path / "mail.log"
    path.write_bytes(LOG)
    monkeypatch.setattr(logfiles, "BLOCK", 1000)
    (part,) = logfiles.parts([path])
    blocks = logfiles.blocks(part)
    assert next(blocks)
    os.truncate(path, 0)
    with pytest.raises(CannotLook, match="shorter while it was read"):
        list(blocks)


@pytest.mark.lab
def test_a_log_that_may_not_be_read(lab: Any) -> None:
    lab.reset()
    lab.relay.start()
    lab.relay.run(["chmod", "600", "/var/log/mail.log"])
    for words in (
        ["report"],
        ["report", "/var/log/mail.log"],
        ["trace", "4ABCDEF00007", "/var/log/mail.log"],
        ["bench", "log", "/var/log/mail.log"],
        ["ingest", "--state", "/var/lib/nobody", "/var/log/mail.log"],
    ):
        done = lab.relay.mailmend(*words, user=65534)
        assert (done.returncode, done.stdout) == (CANNOT_LOOK, ""), (words, done.stdout, done.stderr)
        assert "may not be read" in is_one_line(done.stderr), words
    lab.relay.run(["chmod", "644", "/var/log/mail.log"])


def _killed(*_of: object, **_named: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_is_killed_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it happens where memory runs out; the others may have read the rest."""
    from mailmend.jobs import report
    from mailmend.system import logfiles

    path = tmp_path / "mail.log"
    path.write_bytes(LOG)
    monkeypatch.setattr(logfiles, "PART", 50_000)
    monkeypatch.setattr(report, "_tallied", _killed)
    with pytest.raises(CannotLook, match="was killed"):
        report.report(_nowhere, [path], processes=2)


def _nowhere() -> Here:
    raise CannotLook("the file alone is looked at")


# ---- logs that are read all the same --------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        bytes(50) + LOG,
        bytes(700_000) + LOG,  # copytruncate, and a writer that went on where it was
        LOG + bytes(4096) + LOG,  # a crash
        LOG[:-1],
        LOG.replace(b"\n", b"\r\n"),
        LOG.replace(b"(250 ok", b"(250 \xe9\xff\r \x85 \xe2\x80\xa8 ok"),
        EXIM.encode() * 500 + LOG,
        b"\xef\xbb\xbf\n" + LOG,
    ],
)
def test_a_log_with_something_else_in_it(run: Any, tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "mail.log"
    path.write_bytes(text)
    status, out, _ = run("--json", "report", str(path))
    told = json.loads(out)
    assert status == 0
    assert sum(each["count"] for each in told["deliveries"]) == LOG.count(b"\n") * (text.count(LOG) or 1)
    assert told["unparsed"] == 0
    status, out, _ = run("--json", "trace", "4ABCDEF00000", str(path))
    assert status == 0
    assert json.loads(out)["messages"]


# ---- much of it ---------------------------------------------------------------------------


def _lots(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.writelines(garbage(size))


def _child(argv: Sequence[str]) -> tuple[int, str, str, int]:
    """Exit status, both outputs, and the most memory in MB that it had."""
    script = (
        "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:]);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10, file=sys.stderr);"
        "sys.exit(done.returncode)"
    )
    own = [sys.executable, "-c", script, sys.executable, "-m", "mailmend", *argv]
    done = subprocess.run(own, capture_output=True, text=True, check=False)
    *said, memory = done.stderr.splitlines()
    return done.returncode, done.stdout, "\n".join(said), int(memory)


@pytest.mark.parametrize(
    "size", [16 << 20, pytest.param(1 << 30, marks=pytest.mark.full)], ids=["16 MB", "1 GB"]
)
@pytest.mark.parametrize("name", ["report", "trace", "ingest"])
def test_garbage_is_said_to_be_that_in_little_memory(tmp_path: Path, name: str, size: int) -> None:
    path = tmp_path / "mail.log"
    _lots(path, size)
    status, out, err, memory = _child(command(name, path))
    assert (status, out) == (USAGE, "")
    assert str(path) in is_one_line(err)
    assert memory < 150


@pytest.mark.full
def test_a_gigabyte_of_zeros_that_is_packed_in_a_megabyte(tmp_path: Path) -> None:
    path = tmp_path / "mail.log.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(1024):
            file.write(bytes(1 << 20))
    status, out, err, memory = _child(["report", str(path)])
    assert (status, out) == (USAGE, "")
    is_one_line(err)
    assert memory < 150


# ---- what a report is written to ------------------------------------------------------------


@pytest.mark.parametrize("option", ["--csv", "--html"])
@pytest.mark.parametrize("by", ["its name", "a link"])
def test_a_report_is_not_written_over_the_log(run: Any, tmp_path: Path, option: str, by: str) -> None:
    log, link = tmp_path / "mail.log", tmp_path / "link"
    log.write_bytes(LOG)
    link.symlink_to(log)
    status, _, said = run("report", str(log), option, str(log if by == "its name" else link))
    assert (status, log.read_bytes()) == (4, LOG)
    assert "is the log that is read" in is_one_line(said)


def test_a_window_without_a_line_is_not_said_to_be_well(run: Any, tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    log.write_bytes(LOG)
    status, said, _ = run("report", str(log), "--since", "2099-01-01")
    assert status == 0
    assert "Nothing was logged in that time" in said
    assert "could cure" not in said


def test_a_window_that_ends_before_it_begins_is_a_usage_error(run: Any, tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    log.write_bytes(LOG)
    status, _, said = run("report", str(log), "--since", "2026-11-22", "--until", "2026-11-21")
    assert status == USAGE
    assert "is not after --since" in is_one_line(said)
