"""Our SPF says what pyspf says, for records right and wrong, for both families (RFC 7208)."""

from __future__ import annotations

import tomllib
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import spf as oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmend.facts.spf import check_host
from worlds import world

TABLE = tomllib.loads((Path(__file__).parent / "spf_zones.toml").read_text())
CLIENTS = (
    "192.0.2.10",
    "192.0.2.65",
    "192.0.2.129",
    "192.0.2.140",
    "203.0.113.9",
    "2001:db8::130",
    "2001:db9::1",
)
HELO = "helo.example.net"


def ours(zone: dict[str, Any], ip: str, domain: str = "case.example") -> str:
    return check_host(ip, domain, f"postmaster@{domain}", HELO, world.made(dns=zone).probe()).result


def theirs(
    zone: dict[str, Any], ip: str, monkeypatch: pytest.MonkeyPatch, domain: str = "case.example"
) -> str:
    reverse = {
        f"{ip_address(key.split()[0]).reverse_pointer} PTR": value
        for key, value in zone.items()
        if key.endswith(" PTR")
    }

    def look(name: str, kind: str, *_: object) -> list[Any]:
        found = (zone | reverse).get(f"{name.lower().rstrip('.')} {kind}", [])
        if isinstance(found, str):
            raise oracle.TempError(found)
        out: list[Any] = []
        for record in found:
            value: Any = record.rstrip(".")
            if kind == "TXT":
                value = (record.encode(),)
            elif kind == "MX":
                value = (int(record.split()[0]), record.split()[1].rstrip("."))
            out.append(((name, kind), value))
        return out

    monkeypatch.setattr(oracle, "DNSLookup", look)
    return str(oracle.check2(ip, f"postmaster@{domain}", HELO)[0])


@pytest.mark.parametrize("name", TABLE["records"])
def test_a_record_means_what_the_oracle_says(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    zone = TABLE["zone"] | {"case.example TXT": [TABLE["records"][name]]}
    assert {ip: ours(zone, ip) for ip in CLIENTS} == {ip: theirs(zone, ip, monkeypatch) for ip in CLIENTS}


@pytest.mark.parametrize(
    ("texts", "result"),
    [
        ([], "none"),
        (["v=spf10 -all"], "none"),
        (["spf1 -all", "other"], "none"),
        (["v=spf1 -all", "v=spf1 +all"], "permerror"),
        (["google-site-verification=x", "v=spf1 +all"], "pass"),
    ],
    ids=["no-text", "version-ten", "no-version", "two-records", "one-of-several-texts"],
)
def test_which_text_is_the_record(texts: list[str], result: str) -> None:
    assert ours({"case.example TXT": texts}, "192.0.2.10") == result


@pytest.mark.parametrize(
    ("record", "result"),
    [
        ("v=spf1 exists:%{d0}.example.com -all", "permerror"),
        ("v=spf1 exists:%{d2r1}.example.com -all", "permerror"),
        ("v=spf1 x=1 x=2 +all", "pass"),
    ],
    ids=["no-labels-at-all-7.1", "digits-after-r-12", "unknown-modifier-twice-6"],
)
def test_where_the_oracle_is_not_the_standard_the_standard_counts(record: str, result: str) -> None:
    assert ours({"case.example TXT": [record]}, "192.0.2.10") == result


def test_a_resolver_that_does_not_answer_is_no_verdict() -> None:
    probe = world.made(fails={"Records": "resolver 192.0.2.53 does not answer"}).probe()
    verdict = check_host("192.0.2.10", "example.org", "", HELO, probe)
    assert verdict.result == "temperror"
    assert "resolver 192.0.2.53 does not answer" in verdict.reason


def test_an_ipv4_mapped_client_is_an_ipv4_client() -> None:
    zone = {"case.example TXT": ["v=spf1 ip4:192.0.2.10 -all"]}
    assert ours(zone, "::ffff:192.0.2.10") == "pass"


def test_the_verdict_names_the_term_that_decided() -> None:
    probe = world.made(dns={"case.example TXT": ["v=spf1 ip4:192.0.2.10 -all"]}).probe()
    assert check_host("203.0.113.9", "case.example", "", HELO, probe).by == "-all"


TERMS = (
    "a", "mx", "a:example.com", "mx:example.org", "a:mail-b.example.com/31//64", "ip4:192.0.2.128/25",
    "ip6:2001:db8::/64", "include:passes.example", "include:fails.example", "include:silent.example",
    "include:chain1.example", "exists:example.com", "exists:no.example", "exists:%{ir}.%{v}._spf.%{d}",
    "ptr:example.com", "redirect=passes.example", "redirect=softens.example", "x=%{d}", "all", "A:EXAMPLE.COM",
    "a/24", "ip4:1.2.3", "a:down.example", "exp=silent.example",
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    terms=st.lists(st.tuples(st.sampled_from("+-~?") | st.just(""), st.sampled_from(TERMS)), max_size=7),
    ip=st.sampled_from(CLIENTS),
)
def test_any_mixture_of_terms_means_what_the_oracle_says(terms: list[tuple[str, str]], ip: str) -> None:
    words = [term if "=" in term else sign + term for sign, term in terms]
    if words.count("x=%{d}") > 1:
        words = [word for word in words if word != "x=%{d}"]
    zone = TABLE["zone"] | {"case.example TXT": [" ".join(["v=spf1", *words])]}
    with pytest.MonkeyPatch.context() as patch:
        assert ours(zone, ip) == theirs(zone, ip, patch)


def test_ten_look_ups_are_still_allowed() -> None:
    zone = {
        "case.example TXT": [
            "v=spf1 " + "".join(f"exists:e{n}.example " for n in range(2)) + "ip4:192.0.2.10"
        ]
    }
    assert ours(zone, "192.0.2.10") == "pass"
    hosts = {f"h{n}.example A": ["198.51.100.1"] for n in range(10)}
    record = " ".join(f"a:h{n}.example" for n in range(10))
    assert ours({"case.example TXT": [f"v=spf1 {record} -all"], **hosts}, "192.0.2.10") == "fail"


@pytest.mark.parametrize(
    ("records", "count"),
    [
        ({"case": " ".join(f"a:h{n}.example" for n in range(11)) + " -all"}, "needs 11 DNS"),
        (
            {"case": "include:inner.example redirect=other.example", "inner": "?all", "other": "a " * 12},
            "needs 14 DNS",
        ),
        ({"case": "include:%{d}.inner.example " + "a " * 12}, "needs at least 13 DNS"),
        ({"case": "include:case.example"}, "needs at least 11 DNS"),
    ],
    ids=["one-too-many", "by-redirect", "a-macro-hides-more", "includes-itself"],
)
def test_a_record_with_too_many_look_ups_is_told_with_their_number(
    records: dict[str, str], count: str
) -> None:
    zone: dict[str, Any] = {
        f"{name}.example TXT": [f"v=spf1 {text}".strip()] for name, text in records.items()
    }
    zone |= {f"h{n}.example A": ["198.51.100.1"] for n in range(11)}
    zone |= {"case.example A": ["198.51.100.1"], "other.example A": ["198.51.100.1"]}
    zone |= {"case.example.inner.example TXT": ["v=spf1 -all"]}
    verdict = check_host("192.0.2.10", "case.example", "", HELO, world.made(dns=zone).probe())
    assert verdict.result == "permerror"
    assert count in verdict.reason, verdict.reason
