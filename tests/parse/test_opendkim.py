"""opendkim.conf and key records, as Debian ships them, as operators write them, and as DNS gives them back."""

from __future__ import annotations

import pytest

from mailmend.parse import opendkim

SHIPPED = """\
# Domain comes here
#Domain\t\t\texample.com
Canonicalization\trelaxed/simple
Socket\t\t\tlocal:/run/opendkim/opendkim.sock
Socket inet:8891@localhost  # the one that counts
UserID opendkim
Nonsense
"""


def test_what_is_commented_out_is_not_set_and_the_last_one_counts() -> None:
    read = opendkim.settings(SHIPPED)
    assert "domain" not in read
    assert "nonsense" not in read
    assert read["socket"] == "inet:8891@localhost"
    assert read["canonicalization"] == "relaxed/simple"


@pytest.mark.parametrize(
    "elsewhere", ["/etc/opendkim/domains", "file:/etc/opendkim/domains", "refile:/x", "db:/x"]
)
def test_a_list_that_stands_elsewhere_is_not_taken_for_a_name(elsewhere: str) -> None:
    assert opendkim.words(elsewhere) == ()


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("", ()),
        ("Example.org", ("example.org",)),
        ("csl:example.org, example.net", ("example.org", "example.net")),
        ("127.0.0.1,::1", ("127.0.0.1", "::1")),
    ],
)
def test_a_list_that_is_written_out(written: str, names: tuple[str, ...]) -> None:
    assert opendkim.words(written) == names


def test_a_record_in_several_strings_is_one() -> None:
    text = '2020._domainkey\tIN\tTXT\t( "v=DKIM1; h=sha256; k=rsa; "\n\t  "p=MIIB"\n\t  "AB==" )  ; ----- DKIM key'
    assert opendkim.record(text) == "v=DKIM1; h=sha256; k=rsa; p=MIIBAB=="
    assert opendkim.record("no record at all") == ""


def test_the_tags_of_a_record() -> None:
    assert opendkim.tags("v=DKIM1; K=rsa; p= MIIB AB==") == {"v": "DKIM1", "k": "rsa", "p": "MIIBAB=="}
    assert opendkim.tags("spf2.0/pra") == {}
