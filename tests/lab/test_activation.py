"""An operator edits main.cf by hand: edited, reloaded and restarted are three different things."""

from __future__ import annotations

import pytest

from mailmend.lab import Lab

pytestmark = pytest.mark.lab
MAIN = "/etc/postfix/main.cf"


@pytest.fixture
def server(lab: Lab) -> Lab:
    lab.reset()
    lab.relay.start()
    return lab


def listeners(lab: Lab) -> set[str]:
    return {line.split()[3] for line in lab.relay.listeners_ss().splitlines() if '"master"' in line}


def set_ipv4_only(lab: Lab) -> None:
    text = lab.relay.read(MAIN)
    lab.relay.write(MAIN, text.replace("inet_protocols = all", "inet_protocols = ipv4"))
    lab.relay.run(["touch", "-d", "60 seconds ago", MAIN])


def test_saving_the_file_closes_nothing(server: Lab) -> None:
    set_ipv4_only(server)
    assert listeners(server) == {"0.0.0.0:25", "[::]:25"}


def test_a_reload_closes_nothing_either_and_says_so(server: Lab) -> None:
    set_ipv4_only(server)
    server.relay.reload()
    server.relay.wait_log("to change inet_protocols, stop and start Postfix")
    assert listeners(server) == {"0.0.0.0:25", "[::]:25"}


def test_yet_new_clients_use_ipv4_alone_after_the_reload(server: Lab) -> None:
    set_ipv4_only(server)
    server.relay.reload()
    outcomes = server.outcomes(server.send()).values()
    assert {(o.status, o.family) for o in outcomes} == {("sent", "ipv4")}


def test_stop_and_start_closes_the_ipv6_port(server: Lab) -> None:
    set_ipv4_only(server)
    server.relay.stop()
    assert listeners(server) == set()
    server.relay.start()
    assert listeners(server) == {"0.0.0.0:25"}


def test_a_postfix_that_cannot_start_says_why(server: Lab) -> None:
    server.relay.reset(main={"inet_interfaces": "192.0.2.99"})
    with pytest.raises(Exception, match=r"no local interface found for 192\.0\.2\.99"):
        server.relay.start()
