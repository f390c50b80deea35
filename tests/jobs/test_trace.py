"""An operator asks for one message: on logs as they lie there, and on a real Postfix."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mailmend.jobs import trace as job
from mailmend.jobs.here import Here, here
from mailmend.model import CannotLook, ParseError
from mailmend.system import logsearch
from system.programs import for_programs

# A folder of logs that real servers wrote, where somebody has them.
SAMPLES = Path(os.environ.get("MAILMEND_SAMPLE_LOGS", "/nonexistent"))
HEAD = "2026-11-22T10:{:02}:{:02}.5+00:00 relay postfix/{}[7]: "
REFUSED = (
    "550-5.7.1 [2001:db8:1::10] Our system has detected that this 550-5.7.1 message does not meet IPv6 sending"
    " guidelines regarding PTR records 550 5.7.1 and authentication. - gsmtp"
)


@pytest.fixture
def host() -> Here:
    return here()


def mail(
    number: int, to: str = "b@example.net", status: str = "sent (250 ok)", message_id: str | None = None
) -> str:
    """The four lines of a message that came and went."""
    queue_id = f"{0x4F1A000 + number:X}"
    sent = (
        f"to=<{to}>, relay=mx.example.net[192.0.2.9]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status={status}"
    )
    lines = [
        ("smtpd", f"{queue_id}: client=mail.example.org[192.0.2.1]"),
        ("cleanup", f"{queue_id}: message-id=<{message_id or f'm{number}@example.org'}>"),
        ("qmgr", f"{queue_id}: from=<a@example.org>, size=9, nrcpt=1 (queue active)"),
        ("smtp", f"{queue_id}: {sent}"),
        ("qmgr", f"{queue_id}: removed"),
    ]
    minute, second = divmod(number % 3600, 60)
    return "".join(HEAD.format(minute, second, service) + text + "\n" for service, text in lines)


# ---- what must not be told ----------------------------------------------------------------


def test_nothing_of_others(tmp_path: Path, host: Here) -> None:
    log = tmp_path / "mail.log"
    log.write_text("".join(mail(n, to=f"u{n}@example.net") for n in range(50)))
    told = job.trace("u7@example.net", host, [str(log)])
    assert [life.queue_id for life in told.lives] == ["4F1A007"]
    assert job.trace("4F1A0", host, [str(log)]).lives == ()
    assert job.trace("7@example.net", host, [str(log)]).lives == ()
    assert job.trace("<7@example.org>", host, [str(log)]).lives == ()


def test_a_reply_that_names_somebody_elses_message_does_not_join_it(tmp_path: Path, host: Here) -> None:
    log = tmp_path / "mail.log"
    log.write_text(
        mail(1, status="sent (250 forwarded as 4F1A002)") + mail(2) + mail(3, message_id="4F1A001@x")
    )
    told = job.trace("4F1A001", host, [str(log)])
    assert [life.queue_id for life in told.lives] == ["4F1A001"]
    assert told.links == ()


def test_an_address_in_a_message_id_or_a_reply_is_no_sender(tmp_path: Path, host: Here) -> None:
    log = tmp_path / "mail.log"
    log.write_text(mail(1, status="sent (250 to=<boss@example.net>, status=bounced (no))") + mail(2))
    told = job.trace("boss@example.net", host, [str(log)])
    assert not told.lives
    assert not told.asked_for


def test_thousands_who_use_the_message_id_of_a_mail_do_not_hide_it(tmp_path: Path, host: Here) -> None:
    log = tmp_path / "mail.log"
    log.write_text(mail(0) + "".join(mail(n, message_id="m0@example.org") for n in range(1, 1500)))
    told = job.trace("4F1A000", host, [str(log)])
    assert told.asked_for == (0,)
    assert len(told.lives) == 21
    assert any("1479 more messages have the same Message-ID" in notice for notice in told.notices)
    many = job.trace("<m0@example.org>", host, [str(log)])
    assert len(many.lives) <= 80
    assert many.more >= 1400


@pytest.mark.parametrize("text", ["", "  ", "hello", "two words@example.org x", "gmail.com", "NOQUEUE"])
def test_what_names_nothing_is_said_at_once(text: str, host: Here) -> None:
    with pytest.raises(ParseError):
        job.trace(text, host, ["/nonexistent"])


def test_what_cannot_be_read_is_no_answer(tmp_path: Path, host: Here) -> None:
    whole = gzip.compress(mail(1).encode() * 200)
    (tmp_path / "cut.gz").write_bytes(whole[:-20])
    (tmp_path / "cut.xz").write_bytes(lzma.compress(mail(1).encode() * 200)[:-20])
    for name in ("cut.gz", "cut.xz"):
        with pytest.raises(CannotLook, match="cannot be read to its end"):
            job.trace("4F1A001", host, [str(tmp_path / name)])
    with pytest.raises(ParseError, match="is a directory"):
        job.trace("4F1A001", host, [str(tmp_path)])
    with pytest.raises(CannotLook, match="No such file"):
        job.trace("4F1A001", host, [str(tmp_path / "not")])


def test_a_local_part_in_quotes_may_have_blanks_and_forged_fields_in_it(tmp_path: Path, host: Here) -> None:
    log = tmp_path / "mail.log"
    odd = '"b c>, relay=none, status=sent (250 ok)"@example.net'
    log.write_text(mail(1, to=odd) + mail(2))
    assert [life.queue_id for life in job.trace(odd, host, [str(log)]).lives] == ["4F1A001"]
    assert not job.trace('"b c"@example.net', host, [str(log)]).lives


def test_garbage_has_nothing_and_takes_no_time(tmp_path: Path, host: Here) -> None:
    log = tmp_path / "mail.log"
    log.write_bytes(bytes(range(256)) * 4096 + b"x" * (9 << 20) + b"\n" + mail(1).encode())
    told = job.trace("4F1A001", host, [str(log)])
    assert [life.removed for life in told.lives] == [True]
    assert told.searched.bytes_read >= log.stat().st_size


# ---- what must ----------------------------------------------------------------------------


def test_a_life_across_rotated_and_packed_files(tmp_path: Path, host: Here) -> None:
    lines = mail(1).splitlines(keepends=True)
    (tmp_path / "mail.log.3.gz").write_bytes(gzip.compress(lines[0].encode()))
    (tmp_path / "mail.log.2.xz").write_bytes(lzma.compress(lines[1].encode()))
    (tmp_path / "mail.log.1").write_text(lines[2])
    (tmp_path / "mail.log").write_text(lines[3] + lines[4].rstrip("\n"))
    names = [str(path) for path in sorted(tmp_path.iterdir())]
    (life,) = job.trace("m1@example.org", host, names).lives
    assert [e.kind for e in life.events] == ["client", "message-id", "queued", "attempt", "removed"]
    with logsearch.own(_place(tmp_path / "mail.log"), None) as where:
        found = where.paths
    assert [path.name for path in found] == ["mail.log.3.gz", "mail.log.2.xz", "mail.log.1", "mail.log"]


def _place(path: Path) -> Any:
    from mailmend.system.follow import Place

    return Place(path)


@pytest.mark.skipif(not shutil.which("zstd"), reason="there is no zstd here")
def test_zstd_whole_and_broken(tmp_path: Path, host: Here) -> None:
    log = tmp_path / "mail.log.1.zst"
    text = "".join(mail(n) for n in range(5000)).encode()
    log.write_bytes(subprocess.run(["zstd", "-q"], input=text, capture_output=True, check=True).stdout)
    (life,) = job.trace("4F1A007", host, [str(log)]).lives
    assert life.removed
    log.write_bytes(log.read_bytes()[:-50])
    with pytest.raises(CannotLook, match="cannot be read to its end"):
        job.trace("4F1A007", host, [str(log)])


def test_the_journal_is_searched_where_there_is_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lines").write_text(mail(1) + mail(2))
    program = tmp_path / "journalctl"
    program.write_text(f"#!/bin/sh\ncat {tmp_path}/lines\n")
    program.chmod(0o755)
    for_programs(monkeypatch, f"{tmp_path}:{os.environ['PATH']}")
    where = logsearch.Searched(())
    found = [text for _, text in logsearch.find(where, [b"4F1A001"])]
    assert found == mail(1).splitlines()
    assert str(where) == "the journal"
    program.write_text("#!/bin/sh\necho 'No permission' >&2\nexit 1\n")
    with pytest.raises(CannotLook, match="the journal: No permission"):
        list(logsearch.find(where, [b"4F1A001"]))


def test_a_line_is_found_wherever_the_blocks_are_cut(tmp_path: Path, host: Here) -> None:
    log = tmp_path / "mail.log"
    filler = HEAD.format(1, 1, "smtpd") + "connect from mail.example.org[192.0.2.1]\n"
    for shift in range(0, 400, 37):
        log.write_text("x" * shift + "\n" + filler * (logsearch.BLOCK // len(filler)) + mail(1) + filler)
        (life,) = job.trace("4F1A001", host, [str(log)]).lives
        assert len(life.events) == 5


def test_of_an_address_with_many_messages_the_newest_are_told_and_the_others_counted(
    tmp_path: Path, host: Here
) -> None:
    log = tmp_path / "mail.log"
    log.write_text("".join(mail(n) for n in range(120)))
    told = job.trace("B@EXAMPLE.net", host, [str(log)])
    assert [life.queue_id for life in told.lives] == [f"{0x4F1A000 + n:X}" for n in range(70, 120)]
    assert told.more == 70
    late = datetime(2026, 11, 22, 10, 1, 50, tzinfo=UTC)
    assert len(job.trace("b@example.net", host, [str(log)], late).lives) == 10


def test_of_many_messages_each_has_its_bounce(tmp_path: Path, host: Here) -> None:
    log = tmp_path / "mail.log"
    lines = ""
    for n in range(20):
        notice = f"{0x5C0F000 + n:X}"
        born = HEAD.format(0, n, "cleanup") + f"{notice}: message-id=<n{n}@relay>\n"
        told = (
            HEAD.format(0, n, "bounce") + f"{0x4F1A000 + n:X}: sender non-delivery notification: {notice}\n"
        )
        lines += mail(n).replace(
            HEAD.format(0, n, "qmgr") + f"{0x4F1A000 + n:X}: removed", born + told.rstrip()
        )
    log.write_text(lines)
    found = job.trace("b@example.net", host, [str(log)])
    assert len(found.lives) == 40
    assert [link.kind for link in found.links] == ["bounce"] * 20


def test_mail_that_was_not_let_in_is_told_too(tmp_path: Path, host: Here) -> None:
    log = tmp_path / "mail.log"
    log.write_text(
        HEAD.format(1, 1, "smtpd") + "NOQUEUE: reject: RCPT from unknown[203.0.113.5]: 554 5.7.1"
        " <boss@example.org>: Relay access denied; from=<x@example.com> to=<boss@example.org> proto=ESMTP helo=<x>\n"
    )
    (one,) = job.trace("boss@example.org", host, [str(log)]).rejected
    assert (one.delivery.source_ip, one.delivery.sender) == ("203.0.113.5", "x@example.com")


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="MAILMEND_SAMPLE_LOGS names no folder")
@pytest.mark.parametrize(
    ("asked", "log", "ids"),
    [
        ("EA30225A361", "forward-v6.log", ["EA30225A361", "0010325A363"]),
        ("0010325A363", "forward-v6.log", ["EA30225A361", "0010325A363"]),
        ("<det1@sender.example>", "forward-v6.log", ["EA30225A361", "0010325A363"]),
        ("4jXQxN6GLMzLdfF", "longqid-syslogname.log", ["4jXQxN61F0zLdf9", "4jXQxN6GLMzLdfF"]),
        ("ea30225a361", "forward-v6.log", ["EA30225A361", "0010325A363"]),
        ("8FAA625A36C", "null-sender.log", ["8FAA625A36C"]),
    ],
)
def test_real_logs(asked: str, log: str, ids: list[str], host: Here) -> None:
    told = job.trace(asked, host, [str(SAMPLES / log)])
    assert [life.queue_id for life in told.lives] == ids
    assert all(life.removed and life.whole for life in told.lives)
    refused = [r for r in told.refusals.values() if r.delivery.severity == "bounced"]
    assert {r.cause for r in refused} == {"ipv6-ptr-or-auth"}


# ---- on real Postfix ----------------------------------------------------------------------


def answer(relay: Any, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = relay.mailmend("--json", "trace", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.fixture
def relay(lab: Any) -> Callable[..., Any]:
    def started(**settings: str) -> Any:
        lab.reset(main={"smtp_address_preference": "ipv6", **settings})
        lab.relay.write("/etc/aliases", "team: someone@gmail.com\n")
        lab.relay.run(["postalias", "/etc/aliases"])
        lab.relay.start()
        return lab.relay

    return started


@pytest.mark.lab
def test_what_never_came_by_is_not_found(lab: Any, relay: Any) -> None:
    server = relay()
    lab.outcomes(lab.send(to="else@example.org", count=1))
    told = answer(server, "4F1A2B3C4D", code=1)
    assert told["messages"] == told["rejected"] == []
    assert told["searched"]["files"] == ["/var/log/mail.log"]
    said = server.mailmend("trace", "4F1A2B3C4D")
    assert "Nothing about 4F1A2B3C4D in /var/log/mail.log" in said.stdout


@pytest.mark.lab
def test_a_log_that_may_not_be_read(relay: Any) -> None:
    server = relay()
    server.run(["chmod", "600", "/var/log/mail.log"])
    done = server.mailmend("trace", "4F1A2B3C4D", user=65534)
    server.run(["chmod", "644", "/var/log/mail.log"])
    assert done.returncode == 3, done.stdout
    assert "may not be read" in done.stderr


@pytest.mark.lab
def test_an_alias_the_forward_that_it_made_and_the_bounce_of_that(lab: Any, relay: Any) -> None:
    server = relay()
    (trace,) = lab.send(to="team@relay.example.org", count=1)
    server.wait_log(r"to=<alice@sender\.example>.*status=sent(.|\n)*: removed")
    told = answer(server, f"{trace}@sender.example")
    first, forward, bounce = told["messages"]
    assert [(link["kind"], link["parent"], link["child"]) for link in told["links"]] == [
        ("forward", 0, 1),
        ("bounce", 1, 2),
    ]
    assert first["client"]["host"] == "mail.sender.example"
    assert (first["sender"], forward["sender"], bounce["sender"]) == (*["alice@sender.example"] * 2, "")
    assert forward["recipients"][0]["severity"] == "bounced"
    (refused,) = [e for e in forward["events"] if e["kind"] == "attempt"]
    assert refused["refusal"]["cause"] == "ipv6-ptr-or-auth"
    assert refused["delivery"]["relay"]["family"] == "ipv6"
    assert set(refused["delays"]) == {"before_queue", "in_queue", "connecting", "sending"}
    assert answer(server, bounce["queue_id"])["messages"][0]["queue_id"] == first["queue_id"]


@pytest.mark.lab
def test_held_requeued_and_at_last_delivered(lab: Any, relay: Any) -> None:
    server = relay(defer_transports="smtp")
    (trace,) = lab.send(to="else@example.org", count=1)
    server.wait_log(r"status=deferred")
    asked = f"<{trace}@sender.example>"
    (waiting,) = answer(server, asked)["messages"]
    assert (waiting["state"], waiting["queue"]) == ("waiting", "deferred")
    server.run(["postsuper", "-h", waiting["queue_id"]])
    assert answer(server, waiting["queue_id"])["messages"][0]["queue"] == "hold"
    assert "still in the queue (hold)" in server.mailmend("trace", asked).stdout
    server.run(["postconf", "-e", "defer_transports="])
    server.reload()
    server.run(["postsuper", "-r", waiting["queue_id"]])
    server.run(["postkick", "public", "pickup", "W"])
    server.wait_log(r"status=sent(.|\n)*: removed")
    old, new = answer(server, waiting["queue_id"])["messages"]
    assert (old["queue_id"], old["state"], new["state"]) == (waiting["queue_id"], "removed", "removed")
    assert new["submitted"]["uid"] is not None
    assert new["recipients"][0]["severity"] == "delivered"


@pytest.mark.lab
def test_follow_tells_it_as_it_happens_and_ends_with_its_bounce(lab: Any, relay: Any) -> None:
    server = relay(defer_transports="smtp")
    lab.send(count=1)
    queue_id = server.wait_log(r": ([0-9A-F]+): to=<someone@gmail.com>.*status=deferred")[1]
    ended: list[Any] = []
    follower = threading.Thread(
        target=lambda: ended.append(server.mailmend("--json", "trace", "--follow", queue_id))
    )
    follower.start()
    time.sleep(1)
    server.run(["postconf", "-e", "defer_transports="])
    server.reload()
    server.run(["postqueue", "-f"])
    follower.join(40)
    (done,) = ended
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert {event["schema"] for event in events} == {"mailmend.trace-event/1"}
    own = [
        (e["kind"], (e.get("delivery") or {}).get("severity")) for e in events if e["queue_id"] == queue_id
    ]
    assert own.count(("client", None)) == 1
    assert ("attempt", "deferred") in own
    assert ("attempt", "bounced") in own
    assert own[-1] == ("removed", None)
    (bounce,) = [e["link"]["queue_id"] for e in events if e["kind"] == "notified"]
    assert [e["kind"] for e in events if e["queue_id"] == bounce] == [
        "message-id",
        "queued",
        "attempt",
        "removed",
    ]
