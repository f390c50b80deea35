"""The days after a fix: status watches what others publish, prove looks again, undo is the way back."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import mailmend
from mailmend.model import Refused
from mailmend.system.host import require_roots_own

pytestmark = pytest.mark.lab


@pytest.fixture
def fixed(lab: Any) -> Any:
    """A server that bounced at random and was fixed by the default remedy."""
    lab.reset()
    lab.relay.start()
    lab.outcomes(lab.send(count=16))
    lab.first = answer(lab.relay, "fix", "--yes")
    return lab


def answer(relay: Any, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = relay.mailmend("--json", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_nothing_is_offered_before_the_records_are_seen(fixed: Any) -> None:
    status = answer(fixed.relay, "status", code=0)
    (pending,) = status["pending"]
    assert {j["verdict"] for j in pending["proof"]["judgements"]} == {"pending"}
    assert status["held"] == []


def test_published_records_are_not_enough_while_forwards_keep_their_envelope(fixed: Any) -> None:
    fixed.dns.publish(*(f"{c['target']} {c['after']}" for p in fixed.first["pending"] for c in p["changes"]))
    status = answer(fixed.relay, "status")
    assert status["held"] == []
    assert {f["cause"] for f in status["pending"][0]["still"]} == {"forwarded-not-rewritten"}
    screen = fixed.relay.mailmend("status").stdout
    assert "mailmend undo" not in screen
    assert "forwarding:" in screen
    # What following the records alone would have led to:
    answer(fixed.relay, "undo")
    outcomes = fixed.outcomes(fixed.send(count=12)).values()
    assert "bounced" in {o.status for o in outcomes if o.family == "ipv6"}


def test_a_fix_whose_family_is_switched_off_later_still_holds(fixed: Any) -> None:
    answer(fixed.relay, "set", "--yes", "inet_protocols=ipv4")
    answer(fixed.relay, "confirm")
    looked = answer(fixed.relay, "fix", "--yes")
    (client,) = [j for j in looked["proof"]["judgements"] if j["kind"] == "client-ignores"]
    assert client["verdict"] == "holds"
    assert "does not use IPv6" in client["saw"]


SRS = {"sender_canonical_classes": "envelope_sender", "sender_canonical_maps": "regexp:/etc/postfix/srs"}
SRS_MAP = "/^(.*)@(.*)$/ SRS0=HHH=TT=${2}=${1}@example.org\n"
REMEDIES = ("ipv4-for-receiver", "ipv4-client", "ipv4-transport", "ipv4-only")


@pytest.fixture
def rewriting(lab: Any) -> Any:
    """A server that forwards with SRS, and is refused over IPv6 for its DNS alone."""
    lab.reset(main=SRS, files={"srs": SRS_MAP})
    lab.relay.start()
    lab.outcomes(lab.send(count=16))
    return lab


@pytest.mark.parametrize(
    "remedy",
    [
        pytest.param(remedy, marks=pytest.mark.slow if number else ())
        for number, remedy in enumerate(REMEDIES)
    ],
)
def test_the_way_back_is_offered_once_nothing_is_refused_and_it_is_not_taken(
    rewriting: Any, remedy: str
) -> None:
    relay = rewriting.relay
    first = answer(relay, "fix", "--yes", "--remedy", remedy)
    status = answer(relay, "status")
    assert status["held"] == []
    assert {f["check"] for f in status["pending"][0]["still"]} == {"ptr", "spf"}
    rewriting.dns.publish(*(f"{c['target']} {c['after']}" for p in first["pending"] for c in p["changes"]))
    change = first["change"]["id"]
    before = relay.read("/etc/postfix/main.cf")
    assert answer(relay, "status")["held"] == [change]
    assert f"mailmend undo {change}" in relay.mailmend("status").stdout
    assert relay.read("/etc/postfix/main.cf") == before
    answer(relay, "undo", change)
    outcomes = rewriting.outcomes(rewriting.send(count=8)).values()
    assert {o.status for o in outcomes} == {"sent"}


def test_another_name_that_resolves_back_will_do(rewriting: Any) -> None:
    first = answer(rewriting.relay, "fix", "--yes")
    changes = [c for p in first["pending"] for c in p["changes"]]
    spf = [f"{c['target']} {c['after']}" for c in changes if c["target"].endswith(" TXT")]
    rewriting.dns.publish("2001:db8:1::10 PTR out.example.org.", "out.example.org AAAA 2001:db8:1::10", *spf)
    status = answer(rewriting.relay, "status")
    assert status["held"] == [first["change"]["id"]]
    assert {j["verdict"] for j in status["pending"][0]["proof"]["judgements"]} == {"holds"}


WATCH = """
import sys
from pathlib import Path
from mailmend.model import Expectation
from mailmend.system.history import History
said = "a PTR is published"
wanted = (Expectation("dns", "record-seen", "2001:db8:1::10 PTR", "relay.example.org.", said),)
print(History(Path("/var/lib/mailmend")).watch(wanted, "root", "nothing was applied").id)
"""


def test_what_is_only_watched_is_told_until_it_is_ended(rewriting: Any) -> None:
    relay = rewriting.relay
    watched = relay.run([sys.executable, "-c", WATCH]).stdout.strip()
    status = answer(relay, "status")
    assert (status["changes"], status["held"]) == ([], [])
    assert [(p["id"], p["watched_only"]) for p in status["pending"]] == [(watched, True)]
    assert "2001:db8:1::10 PTR" in relay.mailmend("status").stdout
    answer(relay, "undo", code=4)
    assert answer(relay, "prove")["change"] is None
    records = "example.org TXT v=spf1 ip4:192.0.2.10 ip6:2001:db8:1::10 -all"
    rewriting.dns.publish("2001:db8:1::10 PTR relay.example.org.", records)
    assert answer(relay, "status")["held"] == [watched]
    assert f"mailmend undo {watched}" in relay.mailmend("status").stdout
    relay.stop()
    assert answer(relay, "undo", watched)["proof"] is None
    assert "no longer watched" not in relay.mailmend("undo", watched).stdout
    assert answer(relay, "status", code=1)["pending"] == []


def test_real_mail_since_turns_the_pending_proof_into_a_held_one(fixed: Any) -> None:
    before = {j["kind"]: j["verdict"] for j in fixed.first["proof"]["judgements"]}
    assert before["delivered"] == "pending"
    fixed.outcomes(fixed.send(count=8))
    proven = answer(fixed.relay, "prove")
    assert {j["kind"]: j["verdict"] for j in proven["proof"]["judgements"]}["delivered"] == "holds"
    assert proven["proof"]["holds"]


def test_one_message_can_be_sent_and_followed(fixed: Any) -> None:
    proven = answer(fixed.relay, "prove", "--to", "someone@elsewhere.example")
    assert [d["severity"] for d in proven["sent"]] == ["delivered"]
    assert proven["sent"][0]["relay"]["host"] == "mx.elsewhere.example"


def test_an_undone_fix_is_said_to_be_undone_and_not_undone_again(fixed: Any) -> None:
    change = fixed.first["change"]["id"]
    assert answer(fixed.relay, "undo")["identical"]
    assert answer(fixed.relay, "undo", change)["already"]
    answer(fixed.relay, "undo", code=4)
    assert answer(fixed.relay, "status")["changes"] == []


def test_an_edit_by_somebody_else_survives_the_undo(fixed: Any) -> None:
    fixed.relay.run(["postconf", "-e", "message_size_limit=20480000"])
    fixed.relay.run(["touch", "-d", "1 minute ago", "/etc/postfix/main.cf"])
    undone = answer(fixed.relay, "undo")
    assert not undone["identical"]
    text = fixed.relay.read("/etc/postfix/main.cf")
    assert "message_size_limit = 20480000" in text
    assert "smtp_dns_reply_filter" not in text


def test_our_own_line_changed_by_somebody_else_is_a_conflict_that_touches_nothing(fixed: Any) -> None:
    fixed.relay.run(["postconf", "-e", "smtp_dns_reply_filter=regexp:/etc/postfix/theirs"])
    before = fixed.relay.read("/etc/postfix/main.cf")
    refused = answer(fixed.relay, "undo", code=4)
    assert "CONFLICT" in refused["error"]["reason"]
    assert fixed.relay.read("/etc/postfix/main.cf") == before


def test_days_later_a_daemon_that_died_since_is_no_failing_proof(fixed: Any) -> None:
    relay = fixed.relay
    hour = timedelta(hours=1)
    died = datetime.now(UTC) - hour
    line = f"{died.isoformat()} relay postfix/smtpd[7]: fatal: no SASL authentication mechanisms\n"
    relay.write("/var/log/mail.log", line + relay.read("/var/log/mail.log"))
    (name,) = history_of(relay)
    path = f"/var/lib/mailmend/history/{name}.json"
    record = json.loads(relay.read(path))
    for expected in record["expectations"]:
        if expected["kind"] in ("no-fatal", "running-since"):
            expected["wanted"] = (died - hour).isoformat()
    relay.write(path, json.dumps(record))
    relay.stop()
    relay.start()
    proven = answer(relay, "prove")
    assert proven["proof"]["holds"]
    kinds = {j["kind"]: j for j in proven["proof"]["judgements"]}
    assert kinds["running-since"]["says"] == "Postfix is running"
    relay.stop()
    assert not answer(relay, "prove", code=1)["proof"]["holds"]


def test_what_another_editor_saved_is_brought_to_the_running_server(fixed: Any) -> None:
    """The first user's evening, with Webmin's file editor: saved, and nothing happens."""
    relay = fixed.relay
    relay.run(["postconf", "-e", "inet_protocols=ipv4"])
    told = answer(relay, "apply")
    assert told["activation"] == "restart"
    assert told["proof"]["holds"]
    assert "[::]:25" not in relay.listeners_ss()
    assert answer(relay, "apply")["activation"] == "none"


@pytest.mark.parametrize(
    ("name", "line", "says"),
    [
        ("master.cf", "192.0.2.99:2525 inet n - n - - smtpd\n", "192.0.2.99:2525: Cannot assign"),
        ("master.cf", "127.0.0.1:25 inet n - n - - smtpd\n", "127.0.0.1:25: Address already in use"),
        ("master.cf", "filter unix - - n - - none-such\n", "none-such"),
        ("main.cf", "transport_maps = texthash:/etc/postfix/none\n", "/etc/postfix/none"),
        ("main.cf", "virtual_alias_maps = nosql:/etc/postfix/x\n", "nosql"),
        ("main.cf", "smtpd_recipient_restrictions = permit_nonsense\n", "permit_nonsense"),
    ],
    ids=[
        "an address that is elsewhere",
        "a port that is taken",
        "no such daemon",
        "no such table",
        "no such type",
        "a restriction that is none",
    ],
)
def test_what_would_not_run_is_not_activated(lab: Any, name: str, line: str, says: str) -> None:
    lab.reset()
    lab.relay.start()
    before = lab.relay.sockets()
    path = f"/etc/postfix/{name}"
    lab.relay.write(path, lab.relay.read(path) + line)
    refused = answer(lab.relay, "apply", code=4)["error"]
    assert says in refused["reason"]
    assert "nothing was activated" in refused["next_step"]
    assert lab.relay.sockets() == before


def test_a_listener_that_can_be_bound_and_one_that_only_moves_are_activated(lab: Any) -> None:
    lab.reset(main={"inet_interfaces": "loopback-only"})
    lab.relay.start()
    path = "/etc/postfix/master.cf"
    lab.relay.write(path, lab.relay.read(path) + "192.0.2.10:2525 inet n - n - - smtpd\n")
    assert answer(lab.relay, "apply")["activation"] == "reload"
    lab.relay.run(["postconf", "-e", "inet_interfaces=all"])
    assert answer(lab.relay, "apply")["activation"] == "restart"
    assert "0.0.0.0:25" in lab.relay.listeners_ss()
    assert "192.0.2.10:2525" in lab.relay.listeners_ss()


def test_an_undo_does_not_bring_an_edit_to_life_that_would_end_postfix(fixed: Any) -> None:
    relay, master = fixed.relay, "/etc/postfix/master.cf"
    text = relay.read(master)
    main, sockets = relay.read("/etc/postfix/main.cf"), relay.sockets()
    relay.write(master, text + "192.0.2.99:2525 inet n - n - - smtpd\n")
    refused = answer(relay, "undo", code=4)["error"]
    assert "192.0.2.99:2525: Cannot assign" in refused["reason"]
    assert "DEGRADED" not in refused["reason"]
    assert (relay.read("/etc/postfix/main.cf"), relay.sockets()) == (main, sockets)
    assert answer(relay, "status", code=1)["interrupted"] is None
    relay.write(master, text)
    assert answer(relay, "undo")["identical"]


# ---- a change that was interrupted -----------------------------------------------------------


def history_of(relay: Any) -> list[str]:
    listed = relay.run(["ls", "/var/lib/mailmend/history"]).stdout.split()
    return [name.removesuffix(".json") for name in listed]


def interrupt(relay: Any, name: str, state: str = "intent") -> None:
    """The history as it is where mailmend and its guard were killed after the files were swapped."""
    ended = "for _ in $(seq 200); do pgrep -f '[u]ndo.sh guard' || exit 0; sleep 0.05; done; exit 1"
    assert relay.run(["sh", "-c", ended]).returncode == 0  # the guard of a change that is kept goes by itself
    path = f"/var/lib/mailmend/history/{name}.json"
    record = json.loads(relay.read(path))
    relay.write(path, json.dumps({**record, "state": state}))


def test_an_interrupted_change_is_told_everywhere_and_undone_first(fixed: Any) -> None:
    relay, (change,) = fixed.relay, history_of(fixed.relay)
    interrupt(relay, change)
    relay.stop()
    status = answer(relay, "status", code=1)
    assert status["interrupted"]["id"] == change
    assert f"mailmend undo {change}" in relay.mailmend("status").stdout
    refused = answer(relay, "apply", code=4)["error"]
    assert "interrupted" in refused["reason"]
    assert "not running" in refused["reason"]
    assert f"mailmend undo {change}" in refused["next_step"]
    assert "postfix -c /etc/postfix start" in refused["next_step"]
    assert answer(relay, "undo")["identical"]
    assert answer(relay, "status")["interrupted"] is None
    assert "0.0.0.0:25" in relay.listeners_ss()


def test_an_interrupted_undo_is_finished_and_never_applied_anew(fixed: Any) -> None:
    relay, (change,) = fixed.relay, history_of(fixed.relay)
    answer(relay, "undo")
    (undo,) = set(history_of(relay)) - {change}
    interrupt(relay, undo)
    interrupt(relay, change, "kept")
    refused = answer(relay, "fix", "--yes", "--remedy", "ipv4-client", code=4)["error"]
    assert refused["next_step"] == f"mailmend undo {change}"
    answer(relay, "undo")
    assert answer(relay, "undo", undo)["already"]
    assert relay.run(["postconf", "-h", "smtp_dns_reply_filter"]).stdout == "\n"
    assert answer(relay, "status")["interrupted"] is None
    answer(relay, "fix", "--yes", "--remedy", "ipv4-client")


def test_a_stopped_postfix_is_told_the_command_that_starts_it(lab: Any) -> None:
    lab.reset()
    refused = answer(lab.relay, "apply", code=4)["error"]
    assert refused["next_step"].startswith("postfix -c /etc/postfix start")


# ---- Webmin ----------------------------------------------------------------------------------


@pytest.fixture
def with_webmin(fixed: Any) -> Iterator[Callable[[str], None]]:
    """Installs Webmin's Postfix module with a configuration."""
    try:
        require_roots_own(str(Path(mailmend.__file__).parent), "Webmin would run it")
    except Refused as refused:
        pytest.skip(refused.reason)

    def install(text: str) -> None:
        fixed.relay.run(["mkdir", "-p", "/etc/webmin/postfix"])
        fixed.relay.write("/etc/webmin/postfix/config", text)

    yield install
    fixed.relay.run(["rm", "-rf", "/etc/webmin"])


def test_webmins_button_is_no_change_to_postfix(fixed: Any, with_webmin: Callable[[str], None]) -> None:
    relay, (change,) = fixed.relay, history_of(fixed.relay)
    with_webmin("perpage=20\n")
    answer(relay, "webmin")
    assert answer(relay, "prove")["change"]["id"] == change
    assert [c["id"] for c in answer(relay, "status")["changes"]] == [change]
    assert answer(relay, "undo")["change"]["id"] == change
    assert "reload_cmd" in relay.read("/etc/webmin/postfix/config")
    answer(relay, "undo", code=4)
    (button,) = (r for r in answer(relay, "history")["records"] if r["reason"].startswith("webmin"))
    assert button["state"] == "kept"
    relay.write("/etc/webmin/postfix/config", relay.read("/etc/webmin/postfix/config").replace("20", "50"))
    answer(relay, "undo", button["id"])
    assert relay.read("/etc/webmin/postfix/config") == "perpage=50\n"


def test_webmins_apply_button_becomes_ours_and_its_own_again(
    fixed: Any, with_webmin: Callable[[str], None]
) -> None:
    relay = fixed.relay
    missing = answer(relay, "webmin", code=3)
    assert "Webmin" in missing["error"]["reason"]
    text = "postfix_control_command=/usr/sbin/postfix\nreload_cmd=postfix reload\n"
    with_webmin(text)
    command = answer(relay, "webmin")["now"]
    assert f"reload_cmd={command}\n" in relay.read("/etc/webmin/postfix/config")
    relay.run(["postconf", "-e", "inet_protocols=ipv4"])
    pressed = relay.run(["env", "-i", "PATH=/usr/bin:/bin", "sh", "-c", command])
    assert pressed.returncode == 0, pressed.stderr
    assert "[::]:25" not in relay.listeners_ss()
    answer(relay, "webmin", "--undo")
    assert relay.read("/etc/webmin/postfix/config") == text


def test_webmin_is_told_which_instance_it_is_about(fixed: Any, with_webmin: Callable[[str], None]) -> None:
    with_webmin("")
    told = answer(fixed.relay, "webmin", "--config-directory", "/etc/postfix")
    assert told["now"].endswith(" apply --config-directory /etc/postfix")


def test_records_that_others_publish_are_watched_also_where_nothing_is_applied(lab: Any) -> None:
    lab.reset()
    lab.relay.start()
    asked = answer(lab.relay, "fix", "--remedy", "dns-records", "--yes")
    assert asked["state"] == "nothing"
    (pending,) = answer(lab.relay, "status")["pending"]
    assert {j["verdict"] for j in pending["proof"]["judgements"]} == {"pending"}
    lab.dns.publish(*(f"{c['target']} {c['after']}" for p in asked["pending"] for c in p["changes"]))
    (seen,) = answer(lab.relay, "status")["pending"]
    assert {j["verdict"] for j in seen["proof"]["judgements"]} == {"holds"}
    answer(lab.relay, "undo", code=4)


def test_a_dry_run_watches_nothing(lab: Any) -> None:
    lab.reset()
    lab.relay.start()
    answer(lab.relay, "fix", "--remedy", "dns-records", "--dry-run")
    assert answer(lab.relay, "history")["records"] == []
