"""postsrsd 1.x and 2.x, wherever they listen: where it must not be set up, what is written, how Postfix asks it.

With the real ones: test_srs.py, and tests/system/hosts/test_srs.py for both kinds under systemd.
"""

from __future__ import annotations

from typing import Any

import pytest

from mailmend.facts.case import gather
from mailmend.model import FileEdit, Proposal, Scope
from mailmend.parse import mastercf
from mailmend.remedies import srs
from mailmend.road import tiers
from worlds import world

PROGRAM, LAUNCHER = "/usr/sbin/postsrsd", "/usr/share/postsrsd/postsrsd-systemd-launcher"
DEFAULTS, CONF = "/etc/default/postsrsd", "/etc/postsrsd.conf"
ONE = {PROGRAM: "", LAUNCHER: "", DEFAULTS: "SRS_DOMAIN=example.org\nSRS_FORWARD_PORT=10001\n"}
TWO = {PROGRAM: "", CONF: 'domains = { "example.org" }\n#srs-domain =\n'}
SOCKET = {"/var/spool/postfix/srs": ""}
RETURNING_1 = "pipemap:{regexp:/etc/postfix/srs_returning,tcp:127.0.0.1:10002}"
RECORDS = {
    "srs.example.org MX": ["10 relay.example.org."],
    "srs.example.org TXT": ["v=spf1 ip4:192.0.2.10 ip6:2001:db8:1::10 -all"],
}


def proposed(files: dict[str, str], ports: tuple[int, ...] = (), **changes: Any) -> Proposal:
    made = {"files": files, "dns": RECORDS, "running": {"others": list(ports)}, **changes}
    probe = world.made(**made).probe()
    return srs.propose(gather((), probe, Scope()), probe)


def stops(proposal: Proposal) -> list[str]:
    return [o.reason for o in proposal.objections if o.blocking]


def service(proposal: Proposal, name: str) -> str:
    (text,) = (c.after for c in proposal.changes if c.target.startswith(name))
    return text or ""


def written(proposal: Proposal, path: str) -> str | None:
    return next((c.after for c in proposal.changes if c.target == path), None)


# ---- where it must not be set up ----------------------------------------------------------


@pytest.mark.parametrize("files", [ONE, TWO], ids=["1.x", "2.x"])
def test_one_that_does_not_run(files: dict[str, str]) -> None:
    (reason,) = stops(proposed(files))
    assert reason.startswith("postsrsd does not run (nothing listens on ")


def test_a_socket_of_2_that_chrooted_daemons_do_not_see() -> None:
    files = {**TWO, CONF: "socketmap = unix:/run/postsrsd/srs\n", "/run/postsrsd/srs": ""}
    (reason,) = stops(proposed(files))
    assert "chrooted parts of Postfix cannot ask it (unix:/run/postsrsd/srs" in reason


def test_one_without_any_settings() -> None:
    (reason,) = stops(proposed({PROGRAM: ""}, (10001,)))
    assert reason.startswith("postsrsd is here, and neither")


@pytest.mark.parametrize(
    ("types", "files", "ports"),
    [
        (("regexp", "pipemap", "socketmap"), ONE, (10001,)),
        (("regexp", "pipemap", "tcp"), {**TWO, **SOCKET}, ()),
    ],
    ids=["1.x", "2.x"],
)
def test_a_postfix_without_the_kind_of_table_that_it_speaks(
    types: tuple[str, ...], files: dict[str, str], ports: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world, "_MAP_TYPES", types)
    (reason,) = stops(proposed(files, ports))
    assert reason.startswith("this Postfix lacks one of the tables regexp, pipemap and ")


@pytest.mark.parametrize("chosen", ["relay.example.org", "mail.other.example", "gmail.com", "example.org"])
def test_a_domain_with_other_uses_or_of_others_is_not_kept(chosen: str) -> None:
    proposal = proposed({**ONE, DEFAULTS: f"SRS_DOMAIN={chosen}\n"}, (10001,))
    assert written(proposal, DEFAULTS) == "SRS_DOMAIN=srs.example.org\n"


# ---- what is written ----------------------------------------------------------------------


def test_1_is_told_its_domain_and_asked_by_tcp_tables() -> None:
    proposal = proposed(ONE, (10001,))
    assert stops(proposal) == []
    assert written(proposal, DEFAULTS) == "SRS_DOMAIN=srs.example.org\nSRS_FORWARD_PORT=10001\n"
    assert "sender_canonical_maps=tcp:127.0.0.1:10001\n" in service(proposal, "srs-cleanup")
    assert "pipemap:{tcp:127.0.0.1:10001,static:OK}" in service(proposal, "127.0.0.1:10029")
    assert "{regexp:/etc/postfix/srs_returning,tcp:127.0.0.1:10002}" in (
        written(proposal, "virtual_alias_maps") or ""
    )
    assert any(cost.startswith("postsrsd is started anew") for cost in proposal.cost)


def test_2_is_told_its_domain_and_asked_by_socketmaps_that_mean_the_same_in_the_chroot() -> None:
    proposal = proposed({**TWO, **SOCKET})
    assert stops(proposal) == []
    assert written(proposal, CONF) == f'{TWO[CONF]}srs-domain = "srs.example.org"\n'
    assert "sender_canonical_maps=socketmap:unix:srs:forward\n" in service(proposal, "srs-cleanup")
    assert "pipemap:{socketmap:unix:srs:forward,static:OK}" in service(proposal, "127.0.0.1:10029")
    assert "{regexp:/etc/postfix/srs_returning,socketmap:unix:srs:reverse}" in (
        written(proposal, "virtual_alias_maps") or ""
    )


def test_2_may_listen_on_a_port() -> None:
    proposal = proposed(
        {**TWO, CONF: 'domains = { "example.org" }\nsocketmap = inet:localhost:10003\n'}, (10003,)
    )
    assert stops(proposal) == []
    assert "sender_canonical_maps=socketmap:inet:127.0.0.1:10003:forward\n" in service(
        proposal, "srs-cleanup"
    )


def test_1_may_listen_elsewhere() -> None:
    moved = "SRS_LISTEN_ADDR=127.0.0.2\nSRS_FORWARD_PORT=20001\nSRS_REVERSE_PORT=20002\n"
    proposal = proposed({**ONE, DEFAULTS: moved}, (20001,))
    assert stops(proposal) == []
    assert "sender_canonical_maps=tcp:127.0.0.2:20001\n" in service(proposal, "srs-cleanup")
    assert "tcp:127.0.0.2:20002}" in (written(proposal, "virtual_alias_maps") or "")


@pytest.mark.parametrize(
    "files",
    [
        {**TWO, **SOCKET, DEFAULTS: ONE[DEFAULTS]},  # upgraded to 2.x: the old file stays
        {**ONE, CONF: TWO[CONF]},  # and back to 1.x
    ],
    ids=["2.x", "1.x"],
)
def test_of_two_files_the_one_counts_that_the_installed_one_reads(files: dict[str, str]) -> None:
    proposal = proposed(files, (10001,))
    told = [c.target for c in proposal.changes if c.kind == "file" and "postsrsd" in c.target]
    assert told == [DEFAULTS if LAUNCHER in files else CONF]


@pytest.mark.parametrize("chosen", ["srs.example.org", "fwd.example.org"])
def test_a_domain_of_its_own_is_kept_and_the_daemon_left_alone(chosen: str) -> None:
    proposal = proposed({**ONE, DEFAULTS: f'SRS_DOMAIN="{chosen}"\n'}, (10001,))
    assert written(proposal, DEFAULTS) is None
    assert (written(proposal, "virtual_alias_domains") or "").startswith(f"{chosen}, ")
    assert not any("started anew" in cost for cost in proposal.cost)


@pytest.mark.parametrize(("files", "ports"), [(ONE, (10001,)), ({**TWO, **SOCKET}, ())], ids=["1.x", "2.x"])
def test_nothing_that_it_writes_is_equal_to_root_or_was_never_judged(
    files: dict[str, str], ports: tuple[int, ...]
) -> None:
    """So that it can be approved from a page, with a code; what decides that are the bytes."""
    changes = proposed(files, ports).changes
    master = "smtp inet n - y - - smtpd\nsmtp unix - - y - - smtp\ncleanup unix n - y - 0 cleanup\n"
    edits = [FileEdit(c.target, c.before, c.after) for c in changes if c.kind == "file"]
    added = "".join(c.after or "" for c in changes if c.kind == "service")
    edits.append(FileEdit("/etc/postfix/master.cf", master, master + added))
    lines = "".join(f"{c.target} = {c.after}\n" for c in changes if c.kind == "setting")
    edits.append(FileEdit("/etc/postfix/main.cf", "", lines))
    found = tiers.touched(tuple(edits))
    assert {each.target for each in found} >= {DEFAULTS if LAUNCHER in files else CONF, "virtual_alias_maps"}
    assert {each.target: each.tier for each in found if each.tier not in ("M", "P")} == {}


def in_place(proposal: Proposal) -> dict[str, Any]:
    """The host once *proposal* is carried out, as far as the remedy looks at it."""
    services = {}
    for change in proposal.changes:
        if change.kind == "service":
            (entry,) = mastercf.parse(change.after or "").services()
            services[change.target] = {"command": entry.command, "overrides": dict(entry.overrides)}
    return {
        "settings": {c.target: c.after for c in proposal.changes if c.kind == "setting"},
        "services": services,
        "files": {c.target: c.after for c in proposal.changes if c.kind == "file"},
        # Nobody asks these for an address of SRS here, and they know no other.
        "tables": {RETURNING_1: {}, "regexp:/etc/postfix/srs_leaving": {}},
    }


def test_where_all_is_there_nothing_is_changed() -> None:
    done = in_place(proposed(ONE, (10001,)))
    again = proposed({**ONE, **done.pop("files")}, (10001,), **done)
    assert again.changes == ()


def test_after_an_upgrade_to_2_the_tables_of_1_are_asked_no_more() -> None:
    done = in_place(proposed(ONE, (10001,)))
    # What pace put there since stays.
    done["services"]["127.0.0.1:10029/inet"]["overrides"]["smtpd_recipient_restrictions"] = "ours"
    tables = {path: text for path, text in done.pop("files").items() if path != DEFAULTS}
    again = proposed({**TWO, **SOCKET, **tables}, **done)
    assert stops(again) == []
    assert {(c.kind, c.target): c.after for c in again.changes if c.target != CONF} == {
        ("setting", "virtual_alias_maps"): (
            "pipemap:{regexp:/etc/postfix/srs_returning,socketmap:unix:srs:reverse}, hash:/etc/postfix/virtual"
        ),
        ("override", "127.0.0.1:10029/inet/smtpd_sender_restrictions"): (
            "check_sender_access pipemap:{socketmap:unix:srs:forward,static:OK}, defer"
        ),
        ("override", "srs-cleanup/unix/sender_canonical_maps"): "socketmap:unix:srs:forward",
    }
