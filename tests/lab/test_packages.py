"""What an operator may install besides Postfix is real in the lab, and gone at the next beginning."""

from __future__ import annotations

import pytest

from mailmend.lab import Lab
from mailmend.model import CannotLook

pytestmark = pytest.mark.lab
FORWARD, REVERSE = "tcp:127.0.0.1:10001", "tcp:127.0.0.1:10002"
SIGNER = """\
Domain sender.example
Selector s1
KeyFile /etc/opendkim.key
Socket inet:8891@127.0.0.1
UserID root
InternalHosts 203.0.113.25
"""


@pytest.fixture
def relay(lab: Lab) -> Lab:
    lab.reset()
    return lab


def asked(lab: Lab, table: str, key: str) -> str:
    return lab.relay.run(["postmap", "-q", key, table]).stdout.strip()


# ---- what is not there --------------------------------------------------------------------


def test_a_fresh_relay_has_postfix_and_nothing_else(relay: Lab) -> None:
    found = relay.relay.run(["which", "postfix", "postsrsd", "opendkim", "opendmarc"]).stdout.split()
    assert found == ["/usr/sbin/postfix"]
    assert relay.relay.run(["test", "-e", "/etc/postsrsd.secret"]).returncode == 1


def test_a_package_that_the_lab_does_not_have_is_named(relay: Lab) -> None:
    with pytest.raises(CannotLook, match="no package sendmail"):
        relay.relay.install("sendmail")


def test_a_daemon_that_is_not_installed_does_not_start(relay: Lab) -> None:
    with pytest.raises(CannotLook, match="postsrsd is not installed"):
        relay.relay.start_daemon("postsrsd", 10001)


def test_a_daemon_that_ends_at_once_says_why(relay: Lab) -> None:
    relay.relay.install("opendkim")
    relay.relay.write("/etc/opendkim.conf", "Nonsense yes\n")
    with pytest.raises(CannotLook, match=r"opendkim does not start: .*configuration"):
        relay.relay.start_daemon("opendkim", 8891)


# ---- what is there ------------------------------------------------------------------------


def test_postsrsd_rewrites_and_takes_back_as_its_settings_say(relay: Lab) -> None:
    host = relay.relay
    host.install("postsrsd")
    defaults = host.read("/etc/default/postsrsd")
    host.write(
        "/etc/default/postsrsd", f"{defaults}SRS_DOMAIN=srs.example.org\nSRS_EXCLUDE_DOMAINS=example.org\n"
    )
    host.start_daemon("postsrsd", 10001, 10002)
    assert asked(relay, FORWARD, "a@example.org") == ""
    rewritten = asked(relay, FORWARD, "alice@sender.example")
    assert rewritten.startswith("SRS0=")
    assert rewritten.endswith("=sender.example=alice@srs.example.org")
    assert asked(relay, REVERSE, rewritten) == "alice@sender.example"
    assert asked(relay, REVERSE, rewritten.replace("SRS0=", "SRS0=x")) == ""


def test_the_signer_signs(relay: Lab) -> None:
    host = relay.relay
    host.install("opendkim")
    host.write("/etc/opendkim.conf", SIGNER)
    host.run(["openssl", "genrsa", "-out", "/etc/opendkim.key", "2048"])
    host.start_daemon("opendkim", 8891)
    host.run(["postconf", "-e", "smtpd_milters=inet:127.0.0.1:8891"])
    host.run(["touch", "-d", "1 minute ago", "/etc/postfix/main.cf"])
    host.start()
    relay.outcomes(relay.send(to="else@example.org", count=1))
    (message,) = relay.elsewhere.mailbox()
    assert "d=sender.example; s=s1;" in message


def test_a_package_that_comes_later_leaves_a_running_daemon_its_libraries(relay: Lab) -> None:
    """opendkim and opendmarc share libmilter: a library that is written over in place ends who has it open."""
    host = relay.relay
    host.install("opendkim")
    host.write("/etc/opendkim.conf", "Socket inet:8891@127.0.0.1\nUserID root\nMode v\n")
    pid = host.start_daemon("opendkim", 8891)
    host.install("opendmarc")
    host.write("/etc/opendmarc.conf", "Socket inet:8893@127.0.0.1\n")
    host.start_daemon("opendmarc", 8893)
    host.run(["postconf", "-e", "smtpd_milters=inet:127.0.0.1:8891 inet:127.0.0.1:8893"])
    host.run(["touch", "-d", "1 minute ago", "/etc/postfix/main.cf"])
    host.start()
    (outcome,) = relay.outcomes(relay.send(to="else@example.org", count=1)).values()
    assert outcome.status == "sent"
    assert host.run(["test", "-d", f"/proc/{pid}"]).returncode == 0
    assert "Authentication-Results: " in relay.elsewhere.mailbox()[-1]


def test_all_is_gone_after_a_reset_and_can_be_had_again(relay: Lab) -> None:
    for _ in range(2):
        relay.relay.install("postsrsd")
        relay.relay.start_daemon("postsrsd", 10001, 10002)
        relay.reset()
        assert relay.relay.run(["which", "postsrsd"]).returncode == 1
        assert ":10001" not in relay.relay.listeners_ss()
