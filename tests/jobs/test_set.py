"""An operator sets what has a name: told what it is, what it costs and who else says so; proven, or taken back."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.lab

FILES = ("/etc/postfix/main.cf", "/etc/postfix/master.cf")


@pytest.fixture
def relay(lab: Any) -> Any:
    lab.reset()
    lab.relay.start()
    return lab.relay


@pytest.fixture(scope="module")
def standing(lab: Any) -> Any:
    """A server to which nothing must happen: every story that refuses shares it."""
    lab.reset()
    lab.relay.start()
    return lab.relay


def told(relay: Any, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = relay.mailmend("--json", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def saved(relay: Any) -> list[str]:
    return [relay.read(path) for path in FILES]


def sockets(relay: Any) -> set[str]:
    listening = told(relay, "status")["listeners"]
    return {f"{s['address']}:{s['port']}" for s in listening}


# ---- what is not done ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("inet_protcols=ipv4",), "did you mean inet_protocols"),
        (("smtp/unix/inet_protcols=ipv4",), "did you mean inet_protocols"),
        (("smpt/unix/inet_protocols=ipv4",), "did you mean smtp/unix"),
        (("nothing_like_it=1",), "no setting is called so"),
        (("maximal_queue_lifetime=5x",), "has to be a time"),
        (("message_size_limit=20M",), "has to be a number"),
        (("biff=perhaps",), "has to be yes or no"),
        (("inet_protocols=ipv5",), "can be all, ipv4, ipv6"),
        (("mail_version=4",), "is set by Postfix itself"),
        (("smtp/inet/wakeup=soon",), "can be seconds"),
        (("inet_interfaces=192.0.2.77",), "no address of this host"),
        (("transport_maps=hash:/etc/postfix/nothing",), "No such file"),
        (("transport_maps=nosuch:/etc/postfix/x",), "has no nosuch tables"),
        (("smtp/inet/command=nosuchd",), "nosuchd"),
        (("biff=no", "biff=yes"), "asked for twice"),
        (("biff=$biff",), "would be made of itself"),
        (("queue_directory=/var/spool/other",), "postfix stop, then postconf -e"),
        (("here=/tmp", "--yes"), "no setting is called so"),
    ],
)
def test_what_postfix_would_not_take_is_refused_before_anything_is_touched(
    standing: Any, arguments: tuple[str, ...], says: str
) -> None:
    before = saved(standing)
    error = told(standing, "set", *arguments, "--yes", code=4)["error"]
    assert says in f"{error['reason']}; {error['next_step']}"
    assert saved(standing) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("inet_protocols",),
        ("=x",),
        ("-X", "smtp/inet/chroot"),
        ("smtp/inet/type=unix",),
        ("smtp/inet/wakeup=",),
    ],
)
def test_what_is_no_assignment_is_a_matter_of_usage(standing: Any, arguments: tuple[str, ...]) -> None:
    assert told(standing, "set", *arguments, "--yes", code=2)["error"]["kind"] == "parse"


def test_nothing_to_set_is_said(standing: Any) -> None:
    assert "nothing is to be set" in told(standing, "set", "--yes", code=4)["error"]["reason"]


@pytest.mark.parametrize(
    "text", ["myhostname=a\nrelayhost=[192.0.2.1]", "myhostname=a\tb", "myhostname=a\x7f"]
)
def test_a_control_byte_never_reaches_a_file(standing: Any, text: str) -> None:
    before = saved(standing)
    assert "has the byte" in told(standing, "set", text, "--yes", code=4)["error"]["reason"]
    assert saved(standing) == before


def test_a_dry_run_shows_all_of_it_and_changes_nothing(standing: Any) -> None:
    before = saved(standing)
    done = told(standing, "set", "inet_protocols=ipv4", "--dry-run")
    assert done["state"] == "planned"
    assert done["plan"]["activation"] == "restart"
    assert done["confirms"] == "listeners"
    (one,) = done["settings"]
    assert (one["written"], one["effective"], one["default"], one["would_be"]) == (
        "all",
        "all",
        "all",
        "ipv4",
    )
    assert one["manual"].startswith("The Internet protocols Postfix will attempt to use")
    assert one["set_by"].startswith("/etc/postfix/main.cf, line ")
    assert "stop and start" in one["source"]
    assert "+inet_protocols = ipv4" in done["plan"]["diff"]
    assert saved(standing) == before


def test_a_question_that_nobody_answers_changes_nothing(standing: Any) -> None:
    before = saved(standing)
    done = standing.mailmend("set", "biff=yes")
    assert done.returncode == 4
    assert "not approved" in done.stderr
    assert told(standing, "set", "biff=yes", code=4)["state"] == "planned"
    assert saved(standing) == before


def test_what_is_so_already_is_said_and_left(standing: Any) -> None:
    pid = standing.run(["cat", "/var/spool/postfix/pid/master.pid"]).stdout
    before = saved(standing)
    done = told(standing, "set", "inet_protocols=all", "biff=no", "-X", "transport_maps", "--yes")
    assert (done["state"], done["change"], done["plan"]["files"]) == ("in-place", None, [])
    assert "is so already" in standing.mailmend("set", "biff=no", "--yes").stdout
    assert saved(standing) == before
    assert standing.run(["cat", "/var/spool/postfix/pid/master.pid"]).stdout == pid


def test_equal_to_root_is_not_reached_through_another_name(relay: Any) -> None:
    text = relay.read(FILES[0]) + "here = /usr/lib/postfix/sbin\ndaemon_directory = $here\n"
    relay.write(FILES[0], text)
    relay.reload()
    before = saved(relay)
    error = told(relay, "set", "here=/usr/lib/postfix", "--yes", code=4)["error"]
    assert error["reason"].startswith("daemon_directory is equal to root")
    assert saved(relay) == before


def test_nor_through_a_variable_of_an_override(relay: Any) -> None:
    relay.run(["postconf", "-e", "here=TZ"])
    relay.run(["postconf", "-P", "smtp/unix/import_environment=$here"])
    relay.reload()
    error = told(relay, "set", "here=LD_PRELOAD=/tmp/x", "--yes", code=4)["error"]
    assert error["reason"].startswith("smtp/unix/import_environment is equal to root")


def test_it_says_who_else_writes_the_file(relay: Any) -> None:
    relay.write(FILES[0], "# This file is managed by Puppet, DO NOT EDIT\n" + relay.read(FILES[0]))
    relay.reload()
    done = told(relay, "set", "biff=yes", "--dry-run")
    (objection,) = [o for o in done["plan"]["objections"] if "Puppet" in o["reason"]]
    assert "lost at its next run" in objection["reason"]
    assert objection["next_step"] == "postfix::config { 'biff': value => 'yes' }"
    assert not objection["blocking"]


def test_somebody_elses_edit_is_not_brought_to_life_along_with_it(relay: Any) -> None:
    relay.write(FILES[0], relay.read(FILES[0]) + "inet_interfaces = loopback-only\n")
    before = saved(relay)
    error = told(relay, "set", "biff=yes", "--yes", code=4)["error"]
    assert "mailmend apply" in error["next_step"]
    assert saved(relay) == before


# ---- what is done ----------------------------------------------------------------------------


def test_ipv4_alone_stops_and_starts_and_the_socket_goes(relay: Any) -> None:
    assert sockets(relay) == {"0.0.0.0:25", ":::25"}
    done = told(relay, "set", "inet_protocols=ipv4", "--yes", "--confirm")
    assert done["state"] == "kept"
    assert done["proof"]["holds"]
    assert sockets(relay) == {"0.0.0.0:25"}
    change = told(relay, "history")["records"][0]
    assert (change["remedy"], change["reason"]) == ("set", "set by root: inet_protocols")
    assert [(t["target"], t["tier"], t["concerns"]) for t in change["touched"]] == [
        ("inet_protocols", "P", "listeners")
    ]
    told(relay, "undo")
    assert sockets(relay) == {"0.0.0.0:25", ":::25"}


def test_without_a_confirmation_it_is_on_trial(relay: Any) -> None:
    before = saved(relay)
    done = told(relay, "set", "smtpd_tls_security_level=none", "--yes")
    assert (done["state"], done["confirms"]) == ("trial", "TLS")
    told(relay, "undo")
    assert saved(relay) == before
    assert told(relay, "set", "smtpd_tls_security_level=none", "--yes", "--confirm")["state"] == "kept"


def test_one_client_alone_is_reloaded_and_keeps_the_sockets(relay: Any) -> None:
    done = told(relay, "set", "smtp/unix/inet_protocols=ipv4", "--yes")
    assert (done["state"], done["plan"]["activation"], done["confirms"]) == ("kept", "reload", None)
    assert sockets(relay) == {"0.0.0.0:25", ":::25"}
    assert "smtp/unix/inet_protocols = ipv4" in relay.run(["postconf", "-P"]).stdout
    shown = told(relay, "set", "inet_protocols=ipv6", "--dry-run")["settings"][0]
    assert shown["overridden"] == [{"service": "smtp/unix", "value": "ipv4"}]
    assert told(relay, "set", "-X", "smtp/unix/inet_protocols", "--yes")["state"] == "kept"
    assert "inet_protocols" not in relay.run(["postconf", "-P"]).stdout


def test_several_at_once_are_one_change(relay: Any) -> None:
    before = saved(relay)
    done = told(
        relay,
        *("set", "myhostname=mx.example.org", "smtpd_banner=$myhostname ESMTP", "smtp/inet/maxproc=50"),
        *("smtp/inet/command=smtpd -v", "-X", "recipient_delimiter", "--yes"),
    )
    assert done["state"] == "kept"
    assert [s["target"] for s in done["settings"]][2:4] == ["smtp/inet/process_limit", "smtp/inet/command"]
    assert done["settings"][1]["would_be"] == "mx.example.org ESMTP"
    assert relay.run(["postconf", "-h", "recipient_delimiter"]).stdout == "\n"
    assert relay.run(["postconf", "-Fh", "smtp/inet/process_limit"]).stdout == "50\n"
    assert len(told(relay, "history")["records"]) == 1
    told(relay, "undo")
    assert saved(relay) == before


def test_a_port_is_opened_and_closed_again(relay: Any) -> None:
    entry = "587/inet=587 inet n - y - - smtpd -o smtpd_tls_security_level=may"
    done = told(relay, "set", entry, "--yes", "--confirm")
    assert done["plan"]["activation"] == "reload"
    assert "0.0.0.0:587" in sockets(relay)
    told(relay, "set", "-X", "587/inet", "--yes", "--confirm")
    assert sockets(relay) == {"0.0.0.0:25", ":::25"}


def test_equal_to_root_by_its_own_name(relay: Any) -> None:
    done = told(relay, "set", "maillog_file_compressor=bzip2", "--yes")
    assert (done["state"], done["settings"][0]["tier"], done["settings"][0]["step_up"]) == ("kept", "R", True)
    assert any("equal to root" in o["reason"] for o in done["plan"]["objections"])


def test_a_table_that_was_broken_can_be_put_right(relay: Any) -> None:
    relay.write(FILES[0], relay.read(FILES[0]) + "transport_maps = hash:/etc/postfix/nothing\n")
    relay.reload()
    assert told(relay, "set", "-X", "transport_maps", "--yes")["state"] == "kept"
    assert "transport_maps" not in relay.read(FILES[0])


# ---- whoever edited the file -------------------------------------------------------------------


def findings(relay: Any, code: int) -> dict[str, str]:
    told_ = told(relay, "status", code=code)["findings"]
    return {
        f["subject"]: f["summary"] for f in told_ if f["standing"] == "measured" and f["check"] == "loaded"
    }


def test_status_names_what_somebody_saved_and_nobody_loaded(relay: Any) -> None:
    assert findings(relay, 0) == {}
    told(relay, "set", "biff=yes", "--yes")
    assert findings(relay, 0) == {}
    text = (
        relay.read(FILES[0]).replace("recipient_delimiter = +", "recipient_delimiter = -")
        + "hopcount_limit = 40\n"
    )
    relay.run(["sleep", "1"])
    relay.run(["tee", FILES[0]], input=text)
    (says,) = findings(relay, 1).values()
    assert says.endswith(": hopcount_limit, recipient_delimiter")
    told(relay, "apply")
    assert findings(relay, 0) == {}


def test_what_only_commands_read_needs_no_loading(relay: Any) -> None:
    assert told(relay, "set", "readme_directory=/usr/share/doc", "--yes")["plan"]["activation"] == "none"
    assert findings(relay, 0) == {}
    assert told(relay, "apply")["activation"] == "none"
    assert told(relay, "set", "biff=yes", "--yes")["state"] == "kept"


def test_what_only_a_start_reads_is_seen_in_the_process(relay: Any) -> None:
    relay.run(["postfix", "stop"])
    relay.run(["postfix", "start"])
    assert findings(relay, 0) == {}
    relay.run(["sleep", "1"])
    relay.run(["postconf", "-e", "data_directory=/var/lib/other", "import_environment=TZ LANG=de"])
    relay.run(["install", "-d", "-o", "postfix", "/var/lib/other"])
    relay.run(["postfix", "reload"])
    found = findings(relay, 1)
    assert set(found) == {"data_directory", "import_environment"}
    assert "was started with /var/lib/postfix: Postfix must be stopped and started" in found["data_directory"]
    assert told(relay, "apply")["activation"] == "restart"
    assert findings(relay, 0) == {}
