"""The page DNS: what is published is told apart from what is not, from what nobody could look up, and from others'."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from mailmend.jobs.dns import Names, Row, records
from mailmend.jobs.here import Here
from mailmend.ui.web.pages.dns import subjects
from ui.web.consoles import HOSTILE, Visitor, looks
from ui.web.test_bounces import harmless
from worlds import world


def at(name: str, **dns: Any) -> Here:
    told = world.load(name)
    told.data["dns"].update({key.replace("_", " ", 1): each for key, each in dns.items()})
    return Here(told.probe(), None, Path("/nowhere"))


def rows(names: Names, kind: str) -> list[Row]:
    return [row for row in names.rows if row.kind == kind]


def test_what_is_right_has_nothing_to_be_copied() -> None:
    names = records(at("all-is-well"))
    for kind in ("PTR", "HELO name", "SPF"):
        assert [row.standing for row in rows(names, kind)] == ["right"] * (1 if kind == "SPF" else 2)
        assert not [row for row in rows(names, kind) if row.wanted or row.ask]
    assert names.gaps == ()


def test_the_domain_of_a_parent_s_policy_is_not_asked_for_one_of_its_own() -> None:
    told = world.load("gmail-refuses-ipv6")
    told.data["dns"]["_dmarc.example.org TXT"] = ["v=DMARC1; p=reject"]
    (row,) = rows(records(Here(told.probe(), None, Path("/nowhere"))), "DMARC")
    assert (row.standing, row.name, row.wanted) == ("right", "_dmarc.example.org", None)
    assert "p=reject, by the record of example.org" in row.why


def test_what_could_not_be_looked_up_is_never_missing() -> None:
    names = records(at("resolver-is-dead"))
    looked_up = [row for row in names.rows if row.kind != "DKIM"]
    assert {row.standing for row in looked_up} == {"unknown"}
    assert all("does not answer" in row.why and row.now is None and not row.wanted for row in looked_up)


def test_a_missing_ptr_is_told_as_its_owner_has_to_write_it() -> None:
    names = records(at("gmail-refuses-ipv6"))
    (missing,) = [row for row in rows(names, "PTR") if row.standing != "right"]
    assert missing.of == "2001:db8:1::10"
    assert missing.name.endswith(".8.b.d.0.1.0.0.2.ip6.arpa")
    assert (missing.standing, missing.wanted, missing.now) == ("missing", "relay.example.org.", ())
    assert "provider" in missing.ask
    assert names.foreign == ("sender.example", "signed.example"), "nothing can be published for others"
    assert not [row for row in names.rows if row.of in names.foreign]


def test_the_spf_record_wanted_keeps_what_stands_there() -> None:
    (row,) = rows(records(at("behind-nat")), "SPF")
    assert (row.standing, row.now) == ("wrong", ("v=spf1 a -all",))
    assert row.wanted == "v=spf1 ip4:203.0.113.7 a -all"


def test_behind_nat_an_address_that_nobody_named_is_not_guessed() -> None:
    names = records(at("behind-nat-unseen"))
    (ptr,) = rows(names, "PTR")
    assert (ptr.standing, ptr.wanted) == ("unknown", None)
    assert "translated on its way out" in ptr.why
    (spf,) = rows(names, "SPF")
    assert spf.wanted is None
    assert spf.standing == "unknown"


@pytest.mark.parametrize(
    ("published", "standing", "says"),
    [
        (["0 ."], "wrong", "takes no mail"),
        (["10 gone.example.org."], "wrong", "leads to no address"),
        (["10 relay.example.org."], "right", "leads to addresses"),
        ("error: SERVFAIL", "unknown", "SERVFAIL"),
    ],
)
def test_a_sender_has_to_be_answerable(published: Any, standing: str, says: str) -> None:
    told = world.load("all-is-well")
    told.data["dns"]["example.org MX"] = published
    (row,) = rows(records(Here(told.probe(), None, Path("/nowhere"))), "MX")
    assert row.standing == standing
    assert says in row.why


def test_who_serves_the_zone_is_named() -> None:
    told = world.load("gmail-refuses-ipv6")
    told.data["dns"]["example.org NS"] = ["ns1.provider.example.", "ns2.provider.example."]
    (row,) = rows(records(Here(told.probe(), None, Path("/nowhere"))), "DMARC")
    assert "example.org is served by ns1.provider.example, ns2.provider.example" in row.ask


def test_what_is_wrong_comes_first() -> None:
    names = records(at("gmail-refuses-ipv6"))
    order = [of for of, _ in subjects(names)]
    assert order.index("2001:db8:1::10") < order.index("192.0.2.10")


def test_the_page_is_there_before_the_records_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that takes its time delays the records, and neither the page nor another."""
    from mailmend.ui.web.pages import dns

    go_on, look = threading.Event(), dns._records

    def slow(console: Any, says: Any) -> Names:
        says("PTR of 192.0.2.10")
        assert go_on.wait(60)
        return look(console, says)

    monkeypatch.setattr(dns, "_records", slow)
    operator = Visitor(looks("gmail-refuses-ipv6", tmp_path / "none", tmp_path / "state"))
    try:
        for path in ("/dns", "/dns/told", "/bounces/explain"):
            page = operator.get(path)
        assert "PTR of 192.0.2.10" in operator.get("/dns")
        assert 'hx-get="/dns/told"' in operator.get("/dns")
        assert "Explain a bounce" in page
    finally:
        go_on.set()
    page = operator.told("/dns/told")
    assert 'data-copy="wanted-' in page
    assert "sender.example, signed.example" in page


def test_a_host_without_postfix_is_told_in_a_line(tmp_path: Path) -> None:
    page = Visitor(looks("postfix-cannot-be-read", tmp_path / "none", tmp_path / "state")).told("/dns")
    assert 'class="failed"' in page
    assert "Look again" in page


def test_what_strangers_publish_is_text(tmp_path: Path) -> None:
    told = world.load("gmail-refuses-ipv6")
    hostile = f"v=spf1 {HOSTILE} " + "a" * 100_000
    told.data["dns"]["relay.example.org TXT"] = [hostile]
    told.data["dns"]["192.0.2.10 PTR"] = ["<script>alert(1)</script>.\u202eevil.example."]
    told.data["dns"]["relay.example.org MX"] = ["10 <img/src=x/onerror=alert(1)>."]
    page = Visitor(lambda: Here(told.probe(), None, tmp_path)).told("/dns")
    harmless(page)
    assert "&lt;script&gt;" in page
    assert len(page) < 100_000, "a record that is too long is cut"
