"""A copy of the server runs beside it, and leaves no trace: no mail, no process, no file."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from jobs.harmful import DRIVER

pytestmark = pytest.mark.lab

BANNER = {"id": "banner", "set": ["smtpd_banner=$myhostname ESMTP"]}
ORIGINAL = """
import json, os, signal, smtplib, subprocess, sys, time
from pathlib import Path
from mailmend.system import canary, shadow

STATE = Path("/var/lib/mailmend")
ORIGINAL = shadow.Original(
    Path("/etc/postfix"), Path("/var/spool/postfix"), Path("/var/lib/postfix"), Path("/usr/lib/postfix/sbin"),
    "postfix", "postdrop", True, True,
)
"""
GIVEN_MAIL = """
with shadow.cast(ORIGINAL, (), STATE) as copy, canary.running(copy):
    (port,) = copy.ports
    for _ in range(200):
        try:
            client = smtplib.SMTP(port.host, port.port, timeout=10)
            break
        except OSError:
            time.sleep(0.02)
    try:
        client.sendmail("root@relay.example.org", ["root@relay.example.org", "friend@elsewhere.example"], "text")
        said = "taken"
    except smtplib.SMTPDataError as refused:
        said = refused.smtp_code
    # Straight into its queue, past smtpd:
    done = subprocess.run(
        ["sendmail", "-C", str(copy.running), "-f", "", "root@relay.example.org", "friend@elsewhere.example"],
        input="Subject: text", text=True, capture_output=True,
    )
    time.sleep(1)
    log = copy.log.read_text()
print(json.dumps({"said": said, "sendmail": done.returncode, "sent": log.count("status=sent"), "log": log}))
"""
KILLED = """
def runs_in(process):
    try:
        return folder.encode() in (process / "environ").read_bytes()
    except OSError:
        return False  # gone meanwhile
if sys.argv[1:]:
    with shadow.cast(ORIGINAL, (), STATE) as copy, canary.running(copy) as (process, _):
        time.sleep(0.3)
        print(process.pid, copy.folder, flush=True)
        time.sleep(60)
program = subprocess.Popen([sys.executable, "-c", sys.stdin.read(), "run"], stdout=subprocess.PIPE, text=True)
pid, folder = program.stdout.readline().split()
program.kill()
program.wait()
for _ in range(100):
    alive = [p for p in Path("/proc").glob("[0-9]*") if runs_in(p)]
    if not alive:
        break
    time.sleep(0.02)
for _ in range(100):
    if not Path(folder).exists():
        break
    time.sleep(0.05)
left = Path(folder).exists()
# And where not even that clears up, because the power went, the next one does.
stale = Path(folder).parent / "stale"
(stale / "queue").mkdir(parents=True)
os.utime(stale, (0, 0))
with shadow.cast(ORIGINAL, (), STATE):
    pass
print(json.dumps({"alive": len(alive), "left": left, "cleared": not stale.exists()}))
"""
POLICY = """
import os, socket, sys
os.path.exists("/var/spool/postfix/private/policy") and os.unlink("/var/spool/postfix/private/policy")
listening = socket.socket(socket.AF_UNIX)
listening.bind("/var/spool/postfix/private/policy")
os.chmod("/var/spool/postfix/private/policy", 0o666)
listening.listen(20)
if os.fork():
    os._exit(0)
os.setsid()
for fd in (0, 1, 2):
    os.dup2(os.open("/dev/null", os.O_RDWR), fd)
listening.settimeout(30)
while True:
    one, _ = listening.accept()
    if os.fork() == 0:
        said = b""
        while part := one.recv(4096):
            said += part
            if said.endswith(b"\\n\\n"):
                one.sendall(b"action=DUNNO\\n\\n")
                said = b""
        os._exit(0)
    one.close()
"""


def run(relay: Any, script: str, *arguments: str, text: str = "") -> dict[str, Any]:
    done = relay.run([sys.executable, "-c", script, *arguments], input=text)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def tried(relay: Any, **change: Any) -> dict[str, Any]:
    done = relay.run([sys.executable, "-c", DRIVER], input=json.dumps([{"id": "it", **change}]))
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.fixture
def relay(lab: Any) -> Any:
    lab.reset()
    lab.relay.start()
    return lab.relay


def test_mail_that_is_given_to_a_copy_goes_nowhere(lab: Any, relay: Any) -> None:
    told = run(relay, ORIGINAL + GIVEN_MAIL)
    assert (told["said"], told["sent"]) == (450, 0), told["log"]
    assert lab.elsewhere.received() == []
    assert relay.run(["find", "/var/mail", "/var/spool/mail", "-type", "f", "-size", "+0"]).stdout == ""


def test_a_copy_ends_with_a_program_that_is_killed(relay: Any) -> None:
    script = ORIGINAL + KILLED
    assert run(relay, script, text=script) == {"alive": 0, "left": False, "cleared": True}


def test_an_old_defect_stops_no_change(lab: Any) -> None:
    lab.reset(
        main={
            "smtpd_tls_cert_file": "/etc/ssl/nothing.pem",
            "smtp_tls_policy_maps": "hash:/etc/postfix/nothing",
            "smtpd_sender_restrictions": "check_sender_access hash:/etc/postfix/nothing",
        }
    )
    lab.relay.start()
    assert tried(lab.relay, **BANNER)["says"] == ""
    assert "transport_maps" in tried(lab.relay, set=["transport_maps=hash:/etc/postfix/nothing"])["says"]


def test_what_puts_a_broken_server_right_goes_through(lab: Any) -> None:
    lab.reset(main={"smtpd_recipient_restrictions": "reject_unknown_foo, reject_unauth_destination"})
    lab.relay.start()
    told = tried(lab.relay, set=["smtpd_recipient_restrictions=permit_mynetworks, reject_unauth_destination"])
    assert told["says"] == ""


def test_the_sockets_of_other_programs_are_reached(relay: Any) -> None:
    asked = "check_policy_service unix:private/policy, permit_mynetworks, reject_unauth_destination"
    change = [f"smtpd_recipient_restrictions={asked}"]
    assert "private/policy" in tried(relay, set=change)["says"]
    assert relay.run([sys.executable, "-c", POLICY]).returncode == 0
    assert tried(relay, set=change)["says"] == ""


def test_a_copy_answers_within_its_time(relay: Any) -> None:
    assert tried(relay, **BANNER)["seconds"] < 10
