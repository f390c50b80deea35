"""What stands in the way on real servers: overrides, filters of their own, relayhosts, literals. Nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.lab

IPV6_FIRST = {"smtp_address_preference": "ipv6"}


@pytest.fixture
def relay(lab: Any) -> Callable[..., Any]:
    """A relay as the operator has it, started; every test its own."""

    def started(world: str = "lenient", **reset: Any) -> Any:
        lab.dns.reset()
        lab.receiver.world(world)
        lab.relay.reset(**{"main": IPV6_FIRST, **reset})
        lab.relay.start()
        return lab.relay

    return started


def fix(relay: Any, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = relay.mailmend("--json", "fix", "--yes", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def families(lab: Any, to: str = "user@example.org", **how: Any) -> set[tuple[str, str | None]]:
    outcomes = lab.outcomes(lab.send(to=to, count=2, **how))
    return {(o.status, o.family) for o in outcomes.values()}


def config(relay: Any) -> dict[str, str]:
    names = relay.run(["find", "/etc/postfix", "-type", "f", "!", "-name", "*.tmp"]).stdout.split()
    return {name: relay.read(name) for name in names}


# ---- what must not happen -----------------------------------------------------------------


def test_a_dry_run_changes_nothing(relay: Any) -> None:
    server = relay()
    before = config(server)
    plan = fix(server, "--dry-run", "--remedy", "ipv4-for-receiver")
    assert plan["state"] == "planned"
    assert "+smtp_dns_reply_filter = regexp:/etc/postfix/ipv4_only_receivers" in plan["plan"]["diff"]
    assert config(server) == before


def test_a_relayhost_is_not_got_round(lab: Any, relay: Any) -> None:
    """Behind somebody's relay the refused address is the relay's: nothing here would help."""
    server = relay(main={**IPV6_FIRST, "relayhost": "[mx.elsewhere.example]"})
    before = config(server)
    refused = fix(server, "--remedy", "ipv4-for-receiver", code=4)
    assert "mx.elsewhere.example" in refused["error"]["reason"]
    assert config(server) == before


@pytest.mark.parametrize("remedy", ["ipv4-only", "ipv4-client", "ipv4-transport"])
def test_an_ipv6_literal_stops_what_would_stop_postfix(relay: Any, remedy: str) -> None:
    server = relay(main={**IPV6_FIRST, "inet_interfaces": "127.0.0.1, 192.0.2.10, [2001:db8:1::10]"})
    before = config(server)
    refused = fix(server, "--remedy", remedy, code=4)
    assert "2001:db8:1::10" in refused["error"]["reason"]
    assert config(server) == before


def test_a_listener_named_by_ipv6_stops_the_kludge(relay: Any) -> None:
    server = relay(master_extra="[2001:db8:1::10]:2525 inet n - n - - smtpd\n")
    refused = fix(server, "--remedy", "ipv4-only", code=4)
    assert "2525" in refused["error"]["reason"]


def test_dane_on_a_version_that_crashes_is_not_given_a_filter(relay: Any) -> None:
    server = relay(main={**IPV6_FIRST, "smtp_tls_security_level": "dane", "smtp_dns_support_level": "dnssec"})
    refused = fix(server, "--remedy", "ipv4-for-receiver", code=4)
    assert "DANE" in refused["error"]["reason"]
    assert "ipv4-client" in refused["error"]["next_step"]


def test_an_unknown_remedy_is_told_in_one_line(relay: Any) -> None:
    server = relay()
    done = server.mailmend("fix", "--remedy", "ipv5", "--yes")
    assert done.returncode in (2, 4)
    assert "ipv4-for-receiver" in done.stderr


# ---- what must happen ---------------------------------------------------------------------


def test_the_operators_own_filter_stays_behind_ours(lab: Any, relay: Any) -> None:
    own = "regexp:/etc/postfix/own_filter"
    server = relay(
        main={**IPV6_FIRST, "smtp_dns_reply_filter": own},
        files={"/etc/postfix/own_filter": "/^mx\\.elsewhere\\.example\\. [^ ]+ IN AAAA / IGNORE\n"},
    )
    fix(server, "--remedy", "ipv4-for-receiver")
    value = server.run(["postconf", "-h", "smtp_dns_reply_filter"]).stdout.strip()
    assert value == f"regexp:/etc/postfix/ipv4_only_receivers, {own}"
    assert families(lab) == {("sent", "ipv4")}
    assert families(lab, "else@example.org") == {("sent", "ipv4")}


def test_an_override_in_master_cf_does_not_win_in_silence(lab: Any, relay: Any) -> None:
    server = relay()
    server.run(["postconf", "-P", "smtp/unix/smtp_dns_reply_filter="])
    server.run(["touch", "-d", "1 minute ago", "/etc/postfix/master.cf"])
    server.reload()
    fix(server, "--remedy", "ipv4-for-receiver")
    assert families(lab) == {("sent", "ipv4")}


def test_the_relay_client_is_not_forgotten(lab: Any, relay: Any) -> None:
    """Mail for relay_domains leaves by relay/unix: with smtp/unix alone it would go on bouncing."""
    server = relay(main={**IPV6_FIRST, "relay_domains": "workspace.example"})
    fix(server, "--remedy", "ipv4-client")
    assert families(lab, "ws@example.org") == {("sent", "ipv4")}


def test_existing_transports_stay(lab: Any, relay: Any) -> None:
    server = relay(
        main={**IPV6_FIRST, "transport_maps": "texthash:/etc/postfix/own_transport"},
        files={"/etc/postfix/own_transport": "elsewhere.example smtp:[mx.elsewhere.example]\n"},
    )
    fix(server, "--remedy", "ipv4-transport")
    value = server.run(["postconf", "-h", "transport_maps"]).stdout.strip()
    assert value == "texthash:/etc/postfix/ipv4_only_transport, texthash:/etc/postfix/own_transport"
    assert families(lab) == {("sent", "ipv4")}


def test_comments_order_mode_and_owner_survive_a_fix_and_its_undo(relay: Any) -> None:
    server = relay()
    server.run(["chmod", "0640", "/etc/postfix/main.cf"])
    server.run(["chgrp", "postfix", "/etc/postfix/main.cf"])
    before, stat = config(server), server.run(["stat", "-c", "%a %U %G", "/etc/postfix/main.cf"]).stdout
    fix(server, "--remedy", "ipv4-only")
    changed = config(server)["/etc/postfix/main.cf"]
    assert [line for line in changed.splitlines() if line.startswith("#")] == [
        line for line in before["/etc/postfix/main.cf"].splitlines() if line.startswith("#")
    ]
    assert server.run(["stat", "-c", "%a %U %G", "/etc/postfix/main.cf"]).stdout == stat
    done = server.mailmend("--json", "undo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["identical"] is True
    assert config(server) == before
    assert server.run(["stat", "-c", "%a %U %G", "/etc/postfix/main.cf"]).stdout == stat


def test_a_symbolic_link_stays_a_link(relay: Any) -> None:
    server = relay()
    server.run(["mkdir", "-p", "/etc/postfix/site"])
    server.run(["mv", "/etc/postfix/main.cf", "/etc/postfix/site/main.cf"])
    server.run(["ln", "-s", "site/main.cf", "/etc/postfix/main.cf"])
    fix(server, "--remedy", "ipv4-for-receiver")
    assert server.run(["readlink", "/etc/postfix/main.cf"]).stdout.strip() == "site/main.cf"


def test_applied_twice_changes_nothing_more(relay: Any) -> None:
    server = relay()
    fix(server, "--remedy", "ipv4-for-receiver")
    before = config(server)
    assert fix(server, "--remedy", "ipv4-for-receiver")["state"] == "in-place"
    assert config(server) == before


# ---- the choice, by what the log says -----------------------------------------------------


def test_the_default_is_the_narrowest_where_ipv4_fares_well(lab: Any, relay: Any) -> None:
    server = relay(main={})
    lab.outcomes(lab.send(count=16))
    fixed = fix(server)
    assert fixed["plan"]["remedy"] == "ipv4-for-receiver"
    assert families(lab) == {("sent", "ipv4")}
    pending = {c["target"] for p in fixed["pending"] for c in p["changes"]}
    assert any(target.endswith(".ip6.arpa PTR") for target in pending)


def test_where_ipv4_is_refused_too_no_ipv4_remedy_is_chosen(lab: Any, relay: Any) -> None:
    server = relay("strict", main={})
    lab.outcomes(lab.send(count=16))
    done = server.mailmend("--json", "fix", "--dry-run")
    answer = json.loads(done.stdout)
    assert answer["plan"]["remedy"] is None
    assert "SRS" in answer["reason"]
    declined = {p["remedy"]: p for p in answer["plan"]["declined"]}
    assert "refused" in declined["ipv4-for-receiver"]["objections"][0]["reason"]


def test_nothing_measured_means_nothing_proposed(relay: Any) -> None:
    server = relay()
    server_dns = server.mailmend("--json", "fix", "--dry-run")
    assert json.loads(server_dns.stdout)["state"] in ("nothing", "planned")


def test_a_postfix_that_was_stopped_on_purpose_is_not_started_by_a_fix(relay: Any) -> None:
    server = relay()
    server.stop()
    before = config(server)
    refused = fix(server, "--remedy", "ipv4-only", code=4)
    assert "not running" in refused["error"]["reason"]
    assert config(server) == before


@pytest.mark.slow
def test_a_fix_that_does_not_prove_itself_is_taken_back_and_says_why(relay: Any) -> None:
    """The reload also loads what somebody saved before us, and with that no smtp client can run."""
    server = relay()
    server.run(["postconf", "-P", "smtp/unix/smtp_line_length_limit=many"])
    server.run(["touch", "-d", "1 minute ago", "/etc/postfix/master.cf"])
    before = config(server)
    fixed = fix(server, "--remedy", "ipv4-for-receiver", code=4)
    assert fixed["state"] == "rolled-back"
    assert "smtp_line_length_limit" in fixed["reason"]
    assert config(server) == before
    history = json.loads(server.mailmend("--json", "history").stdout)
    assert history["records"][0]["state"] == "rolled-back"


def test_a_fix_holds_while_mail_is_pouring_through(lab: Any, relay: Any) -> None:
    """What the old clients still bounce after the change is not the new ones' doing."""
    server = relay()
    lab.outcomes(lab.send(count=8))
    poured = lab.send(count=40, gap=0)
    fixed = fix(server)
    assert fixed["state"] == "kept"
    assert fixed["plan"]["remedy"] == "ipv4-for-receiver"
    lab.outcomes(poured)
    assert families(lab) == {("sent", "ipv4")}


def test_an_unloaded_edit_of_somebody_else_is_not_brought_to_life(relay: Any) -> None:
    server = relay()
    server.write("/etc/postfix/main.cf", server.read("/etc/postfix/main.cf") + "message_size_limit = 1\n")
    before = config(server)
    refused = fix(server, "--remedy", "ipv4-for-receiver", code=4)
    assert "mailmend apply" in refused["error"]["next_step"]
    assert config(server) == before


def test_a_destination_with_ipv6_alone_is_refused_to_every_ipv4_remedy(relay: Any) -> None:
    server = relay()
    before = config(server)
    for remedy in ("ipv4-for-receiver", "ipv4-transport", "ipv4-client", "ipv4-only"):
        refused = fix(server, "--remedy", remedy, "v6only.example", code=4)
        assert "IPv4 address" in refused["error"]["reason"]
    assert config(server) == before


def test_a_sender_with_a_transport_of_its_own_is_looked_after(lab: Any, relay: Any) -> None:
    by_sender = {"sender_dependent_default_transport_maps": "texthash:/etc/postfix/by_sender"}
    server = relay(
        main={**IPV6_FIRST, **by_sender},
        files={"/etc/postfix/by_sender": "@sender.example out2:\n"},
        master_extra="out2 unix - - n - - smtp\n  -o smtp_dns_reply_filter=\n",
    )
    lab.outcomes(lab.send(count=2))
    fix(server)
    assert families(lab) == {("sent", "ipv4")}


def test_a_pattern_that_routes_addresses_is_followed(lab: Any, relay: Any) -> None:
    server = relay(
        main={**IPV6_FIRST, "transport_maps": "regexp:/etc/postfix/patterns"},
        files={"/etc/postfix/patterns": "/@gmail\\.com$/ gmail:\n"},
        master_extra="gmail unix - - n - - smtp\n  -o smtp_dns_reply_filter=\n",
    )
    fix(server, "--remedy", "ipv4-for-receiver")
    assert families(lab) == {("sent", "ipv4")}
