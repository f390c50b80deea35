"""The live probe on a real relay: what is saved, what runs, what the client does and what the log says."""

from __future__ import annotations

import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mailmend import questions
from mailmend.lab import Lab
from mailmend.model import Evidence, Relay
from mailmend.questions import (
    AnyQuestion,
    ClientTrial,
    ConfigWarnings,
    Greeting,
    Host,
    HostAddresses,
    Instances,
    Listeners,
    LogLines,
    MapLookup,
    MapTypes,
    Master,
    Now,
    RecentDeliveries,
    Records,
    Services,
    Setting,
    SocketListing,
    SourceAddress,
)
from mailmend.system import live as system_live
from mailmend.system import recording
from mailmend.system.live import live
from mailmend.system.postfix import Configuration

FILTER = "regexp:/etc/postfix/ipv4_only"
LOOK = """
import sys
from mailmend.questions import *
from mailmend.system.live import live
from mailmend.system.probe import Remembering
from mailmend.system import recording
import datetime  # the module, after the class of that name
probe = Remembering(live(sys.argv[1] or None))
for text in sys.argv[2:]:
    probe.ask(eval(text))
sys.stdout.write(recording.dump(probe.recording()))
"""


def look(
    lab: Lab, *asked: AnyQuestion, directory: str = "", become: tuple[str, ...] = ()
) -> tuple[Evidence[Any], ...]:
    """Ask a fresh live probe within the relay; its answers come out as a recording."""
    argv = [*become, sys.executable, "-c", LOOK, directory, *map(repr, asked)]
    done = lab.relay.run(argv, timeout=60)
    assert done.returncode == 0, done.stderr
    found = recording.load(done.stdout)
    return tuple(found["before", question] for question in asked)


def answers(lab: Lab, *asked: AnyQuestion) -> tuple[Any, ...]:
    found = look(lab, *asked)
    assert [e.error for e in found] == [None] * len(found)
    return tuple(e.answer for e in found)


def test_every_question_has_a_looker() -> None:
    probe = live("/nonexistent")
    assert set(probe._lookers) == set(recording.kinds())
    assert {k.__module__ for k in recording.kinds()} == {questions.__name__}


# How distributions start Postfix: their unit files, folder by folder.
UNITS = Path(__file__).with_name("units")


@pytest.mark.parametrize(
    ("distribution", "directory", "unit"),
    [
        ("none", "postfix", None),
        ("fedora", "postfix-out", None),
        ("rhel-9", "postfix-out", None),
        ("fedora", "postfix", "postfix.service"),
        ("rhel-9", "postfix", "postfix.service"),
        ("debian-13", "postfix", "postfix.service"),
        ("debian-13", "postfix-out", "postfix@out.service"),
        # The plain unit of these two runs /bin/true.
        ("debian-12", "postfix", "postfix@-.service"),
        ("debian-12", "postfix-out", "postfix@postfix-out.service"),
        ("ubuntu-24.04", "postfix", "postfix@-.service"),
        ("ubuntu-24.04", "postfix-out", "postfix@postfix-out.service"),
    ],
)
def test_the_unit_that_would_start_a_stopped_postfix(
    distribution: str, directory: str, unit: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopped(Configuration):
        def value(self, name: str) -> str:
            return {"queue_directory": str(tmp_path / "queue")}.get(name, "")

    monkeypatch.setattr(system_live, "_UNIT_FOLDERS", (str(UNITS / distribution),))
    assert system_live._unit(Stopped(str(tmp_path / directory))) == unit


def test_a_unit_of_the_operator_s_own_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "postfix.service").write_text((UNITS / "fedora/postfix.service").read_text())
    monkeypatch.setattr(system_live, "_UNIT_FOLDERS", (str(tmp_path), str(UNITS / "debian-12")))

    class Stopped(Configuration):
        def value(self, name: str) -> str:
            return {"queue_directory": str(tmp_path / "queue")}.get(name, "")

    assert system_live._unit(Stopped(str(tmp_path / "postfix"))) == "postfix.service"


# ---- what cannot be looked at -----------------------------------------------------------------


@pytest.mark.lab
def test_an_ordinary_user_is_told_what_to_do(lab: Lab) -> None:
    lab.reset()
    lab.relay.start()
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    for evidence in look(lab, Master(), Listeners(), become=nobody):
        assert evidence.error and evidence.error.endswith("run it as root"), evidence.error
    lab.relay.run(["chmod", "600", "/etc/postfix/main.cf"])
    (setting,) = look(lab, Setting("inet_protocols"), become=nobody)
    assert setting.error == "/etc/postfix/main.cf: Permission denied; run it as root"


@pytest.mark.lab
def test_a_configuration_with_an_error_or_none_at_all(lab: Lab) -> None:
    lab.reset()
    lab.relay.write("/etc/postfix/main.cf", lab.relay.read("/etc/postfix/main.cf") + "no assignment\n")
    broken, host = look(lab, Setting("inet_protocols"), Host())
    assert broken.error and "missing '=' after attribute name" in broken.error
    assert host.answer and host.answer.hostname  # the host itself can still be described
    (absent,) = look(lab, Setting("inet_protocols"), directory="/etc/nowhere")
    assert absent.error and absent.error.startswith("/etc/nowhere/main.cf: No such file or directory")


@pytest.mark.lab
def test_a_dead_resolver_is_noticed_in_time(lab: Lab) -> None:
    lab.reset()
    lab.dns.mode("dead")
    begun = time.monotonic()
    found = look(lab, *(Records(f"n{n}.example.org", "A") for n in range(40)))
    assert time.monotonic() - begun < 10
    assert all(e.error and "not answer" in e.error for e in found)
    lab.dns.mode("servfail")
    (failed,) = look(lab, Records("example.org", "MX"))
    assert failed.error and "SERVFAIL for example.org MX" in failed.error


@pytest.mark.lab
def test_a_stopped_postfix_is_not_probed(lab: Lab) -> None:
    lab.reset()
    master, listeners, trial = look(lab, Master(), Listeners(), ClientTrial("someone@gmail.com"))
    assert master.answer and master.answer.pid is None and listeners.answer == ()
    assert trial.error == "Postfix does not run, so it cannot be probed; postfix start"
    lab.relay.start()
    assert "someone@gmail.com" not in lab.relay.log()


# ---- what is configured -------------------------------------------------------------------------


@pytest.mark.lab
def test_the_configuration_as_the_services_see_it(lab: Lab) -> None:
    lab.reset(
        main={"smtp_bind_address6": "2001:db8:1::10", "inet_protocol": "ipv4"},
        master_extra="smtp-v4 unix - - y - - smtp\n  -o inet_protocols=ipv4\n",
    )
    version, bind, own, warnings, services, instances, types = answers(
        lab,
        Setting("mail_version"),
        Setting("smtp_bind_address6", "relay/unix"),
        Setting("inet_protocols", "smtp-v4/unix"),
        ConfigWarnings(),
        Services(),
        Instances(),
        MapTypes(),
    )
    assert version.value[0] in "34"
    assert bind.value == bind.written == "2001:db8:1::10"
    assert own.value == "ipv4"
    assert any("unused parameter: inet_protocol=ipv4" in warning for warning in warnings)
    assert {"smtp/inet", "smtp/unix", "relay/unix", "smtp-v4/unix"} <= {s.id for s in services}
    assert [(i.name, i.config_directory) for i in instances] == [("", "/etc/postfix")]
    assert {"hash", "regexp", "texthash"} <= set(types)


@pytest.mark.lab
def test_tables_are_asked_as_postfix_asks_them(lab: Lab) -> None:
    lab.reset(
        main={"smtp_dns_reply_filter": FILTER, "transport_maps": "texthash:/etc/postfix/missing"},
        files={"/etc/postfix/ipv4_only": "/^[^ ]+\\.google\\.com\\. [^ ]+ IN AAAA / IGNORE\n"},
    )
    found, none, missing, foreign = look(
        lab,
        MapLookup(FILTER, "gmail-smtp-in.l.google.com. 5 IN AAAA 2001:db8::1"),
        MapLookup(FILTER, "gmail-smtp-in.l.google.com. 5 IN A 192.0.2.1"),
        MapLookup("texthash:/etc/postfix/missing", "gmail.com"),
        MapLookup("texthash:/etc/shadow", "root"),
    )
    assert (found.answer, none.answer) == ("IGNORE", "")
    assert missing.error and "/etc/postfix/missing" in missing.error and "No such file" in missing.error
    assert foreign.error == "texthash:/etc/shadow is not a table that /etc/postfix names"


@pytest.mark.lab
def test_names_and_routes_of_the_network(lab: Lab) -> None:
    lab.reset()
    mx, ptr, none, source4, source6, addresses = answers(
        lab,
        Records("gmail.com", "MX"),
        Records("192.0.2.10", "PTR"),
        Records("nobody.example.org", "A"),
        SourceAddress("198.51.100.27"),
        SourceAddress("2001:db8:2::1a"),
        HostAddresses(),
    )
    assert mx.records[0] == "5 gmail-smtp-in.l.google.com."
    assert ptr.records == ("relay.example.org.",)
    assert not none.exists
    assert (source4, source6) == ("192.0.2.10", "2001:db8:1::10")
    assert {source4, source6} <= {a.ip for a in addresses}


# ---- edited, reloaded, restarted -------------------------------------------------------------------


def sockets(listeners: Any) -> set[str]:
    return {f"{s.address} {s.port}" for s in listeners}


@pytest.mark.lab
def test_a_listener_stays_until_the_restart(lab: Lab) -> None:
    lab.reset()
    lab.relay.start()
    began, before, open_before, listing, host = answers(
        lab, Now(), Master(), Listeners(), SocketListing(), Host()
    )
    assert {"0.0.0.0 25", ":: 25"} <= sockets(open_before)
    assert all(s.pid == before.pid and f"pid={s.pid},fd={s.fd}" in listing for s in open_before)
    assert (host.maillog, host.journal, host.root) == ("/var/log/mail.log", False, True)
    assert before.since and before.reloaded and before.since <= before.reloaded <= began

    main = lab.relay.read("/etc/postfix/main.cf")
    lab.relay.write("/etc/postfix/main.cf", main + "inet_protocols = ipv4\n")
    lab.relay.run(["touch", "-d", "-1 minute", "/etc/postfix/main.cf"])
    lab.relay.reload()
    saved, reloaded, still_open, lines = answers(
        lab, Setting("inet_protocols"), Master(), Listeners(), LogLines(began - timedelta(seconds=1))
    )
    assert saved.value == "ipv4"
    assert reloaded.pid == before.pid and abs(reloaded.since - before.since) < timedelta(seconds=0.1)
    assert reloaded.reloaded > before.reloaded
    assert sockets(still_open) == sockets(open_before)
    assert any("ignoring inet_protocols parameter value change" in line for line in lines)

    lab.relay.stop()
    lab.relay.start()
    restarted, open_now, greeting, refused = look(
        lab, Master(), Listeners(), Greeting("192.0.2.10", 25), Greeting("2001:db8:1::10", 25)
    )
    assert restarted.answer and restarted.answer.pid != before.pid
    assert ":: 25" not in sockets(open_now.answer) and "0.0.0.0 25" in sockets(open_now.answer)
    assert greeting.answer and greeting.answer.startswith("220 relay.example.org")
    assert refused.error == "[2001:db8:1::10]:25: Connection refused"


# ---- the client and the log --------------------------------------------------------------------------


@pytest.mark.lab
def test_a_trial_sends_nothing_and_shows_the_clients_choice(lab: Lab) -> None:
    lab.reset(
        main={"smtp_dns_reply_filter": FILTER},
        files={"/etc/postfix/ipv4_only": "/^[^ ]+\\.google\\.com\\. [^ ]+ IN AAAA / IGNORE\n"},
    )
    lab.relay.start()
    forwarded, refused = look(
        lab, ClientTrial("user@example.org"), ClientTrial("nobody@no-such-domain.example")
    )
    result = forwarded.answer
    assert result is not None
    (delivery,) = result.deliveries
    assert (delivery.severity, delivery.forwarded, delivery.recipient) == (
        "delivered",
        True,
        "someone@gmail.com",
    )
    assert delivery.relay == Relay("gmail-smtp-in.l.google.com", "198.51.100.27")
    assert any("ignoring DNS RR: gmail-smtp-in.l.google.com." in line for line in result.ignored)
    assert refused.answer and refused.answer.deliveries[0].severity in ("bounced", "deferred")
    assert "not sending trace/success notification for single-bounce message" in lab.relay.log()
    assert lab.receiver.received() == [] and lab.sender.mailbox() == []


@pytest.mark.lab
def test_the_log_is_counted_as_the_mail_went(lab: Lab) -> None:
    lab.reset()
    lab.relay.start()
    traces = lab.send(count=12)
    outcomes = lab.outcomes(traces).values()
    (found,) = answers(lab, RecentDeliveries())
    assert (found.path, found.unparsed) == ("/var/log/mail.log", 0)
    google = [c for c in found.counts if c.relay_host == "gmail-smtp-in.l.google.com"]
    counted = {(c.family, c.status): c.count for c in google}
    wanted: dict[tuple[str | None, str], int] = {}
    for outcome in outcomes:
        wanted[outcome.family, outcome.status] = wanted.get((outcome.family, outcome.status), 0) + 1
    assert counted == wanted
    assert all(c.forwarded == c.count and c.senders == ("alice@sender.example",) for c in google)
    assert all(isinstance(c.last, datetime) and c.service == "smtp" for c in google)
