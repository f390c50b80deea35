"""postsrsd's settings as Debian ships them and as operators write them: one line is ours, no other byte changes."""

from __future__ import annotations

import pytest

from mailmend.parse import postsrsd
from mailmend.parse.postsrsd import CONF, DEFAULTS, Settings

# As 1.10 leaves it after its installation on a host of example.org.
SHIPPED = """\
# Local domain name.
#
SRS_DOMAIN=example.org

#SRS_EXCLUDE_DOMAINS=.example.com,example.org
SRS_SEPARATOR==
SRS_FORWARD_PORT=10001
SRS_REVERSE_PORT=10002
SRS_LISTEN_ADDR=127.0.0.1
"""
UNSET = SHIPPED.replace("SRS_DOMAIN=example.org", "#SRS_DOMAIN=example.com")
# As 2.4.1 does.
SHIPPED_2 = """\
# Example:
#     domains = { "example.com", "example.org", "example.net" }
domains = { "example.org" }

# Example:
#     srs-domain = "srs.example.com"
#
#srs-domain =

#     socketmap = inet:localhost:10003
socketmap = unix:/var/spool/postfix/srs
"""
OURS = "srs.example.org"


# ---- what must not be taken for more than it is -------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "SRS_DOMAIN=srs.example.org; touch /tmp/x",
        "SRS_DOMAIN=$(touch /tmp/x)",
        "SRS_DOMAIN=`id`",
        'SRS_DOMAIN="srs.example.org',
        "SRS_DOMAIN=srs.example.org RUN_AS=root",
        "SRS_DOMAIN=srs.example.org\r",
        "SRS_EXTRA_OPTIONS=-A",
        "SRS_DOMAIN=",
        "# another comment",
    ],
)
def test_any_line_but_a_plain_domain_is_another_matter(line: str) -> None:
    assert not postsrsd.domain_alone(DEFAULTS, SHIPPED, f"{SHIPPED}{line}\n")
    assert not postsrsd.domain_alone(DEFAULTS, SHIPPED, SHIPPED.replace("SRS_DOMAIN=example.org", line))


def test_lines_that_change_places_are_another_matter() -> None:
    first, second = "SRS_FORWARD_PORT=10001\n", "SRS_REVERSE_PORT=10002\n"
    assert not postsrsd.domain_alone(DEFAULTS, SHIPPED, SHIPPED.replace(first + second, second + first))


def test_another_file_is_never_one_of_these() -> None:
    assert not postsrsd.domain_alone("/etc/default/ssh", SHIPPED, SHIPPED)


def test_a_line_of_the_other_version_names_no_domain() -> None:
    assert postsrsd.settings(CONF, SHIPPED_2 + "SRS_DOMAIN=a.example\n").domain == "example.org"
    assert postsrsd.settings(DEFAULTS, SHIPPED + 'srs-domain = "a.example"\n').domain == "example.org"


# ---- what is read -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "text", "read"),
    [
        (DEFAULTS, "", Settings("", "inet:127.0.0.1:10001", "inet:127.0.0.1:10002")),
        (DEFAULTS, SHIPPED, Settings("example.org", "inet:127.0.0.1:10001", "inet:127.0.0.1:10002")),
        (DEFAULTS, UNSET, Settings("", "inet:127.0.0.1:10001", "inet:127.0.0.1:10002")),
        (DEFAULTS, 'SRS_DOMAIN=a.example\nexport X\n SRS_DOMAIN="B.example"\n#SRS_DOMAIN=c.example\n',
         Settings("b.example", "inet:127.0.0.1:10001", "inet:127.0.0.1:10002")),
        (DEFAULTS, "SRS_LISTEN_ADDR=127.0.0.2\nSRS_FORWARD_PORT='20001'\n",
         Settings("", "inet:127.0.0.2:20001", "inet:127.0.0.2:10002")),
        (CONF, SHIPPED_2, Settings("example.org", *["unix:/var/spool/postfix/srs"] * 2)),
        (CONF, 'domains={"a.example", "b.example"}\nsrs-domain="S.example"\nsocketmap = inet:localhost:10003\n',
         Settings("s.example", *["inet:localhost:10003"] * 2)),
        (CONF, "domains = {}\n", Settings("", *["unix:/var/spool/postfix/srs"] * 2)),
        (CONF, 'domains = {\n  "a.example",\n  "b.example"\n}\n',
         Settings("a.example", *["unix:/var/spool/postfix/srs"] * 2)),
    ],
)  # fmt: skip
def test_domain_and_sockets_are_read(path: str, text: str, read: Settings) -> None:
    assert postsrsd.settings(path, text) == read


# ---- what is written ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        (DEFAULTS, SHIPPED, SHIPPED.replace("=example.org\n", "=srs.example.org\n", 1)),
        (DEFAULTS, UNSET, UNSET.replace("=example.com\n", "=example.com\nSRS_DOMAIN=srs.example.org\n", 1)),
        (DEFAULTS, "", "SRS_DOMAIN=srs.example.org\n"),
        (DEFAULTS, "RUN_AS=x", "RUN_AS=x\nSRS_DOMAIN=srs.example.org\n"),
        (DEFAULTS, "RUN_AS=x\n", "RUN_AS=x\nSRS_DOMAIN=srs.example.org\n"),
        # What the shell makes of it is not ours to judge: the line behind it counts.
        (DEFAULTS, 'SRS_DOMAIN="$(cat /etc/mailname)"\nRUN_AS=x\n',
         'SRS_DOMAIN="$(cat /etc/mailname)"\nSRS_DOMAIN=srs.example.org\nRUN_AS=x\n'),
        (CONF, SHIPPED_2, SHIPPED_2.replace("#srs-domain =\n", '#srs-domain =\nsrs-domain = "srs.example.org"\n')),
        (CONF, 'srs-domain="old.example"\n', 'srs-domain = "srs.example.org"\n'),
    ],
)  # fmt: skip
def test_one_line_is_set_and_taken_back_to_the_byte(path: str, before: str, after: str) -> None:
    assert postsrsd.assign(path, before, OURS) == after
    assert postsrsd.settings(path, after).domain == OURS
    assert postsrsd.assign(path, after, OURS) == after
    if before and before.endswith("\n"):
        assert postsrsd.domain_alone(path, before, after)
        assert postsrsd.without(path, before, after, after) == before


@pytest.mark.parametrize("before", [SHIPPED, UNSET], ids=["set", "unset"])
def test_what_others_wrote_since_stays(before: str) -> None:
    after = postsrsd.assign(DEFAULTS, before, OURS)
    since = "# theirs\n" + after.replace("SEPARATOR==", "SEPARATOR=+")
    assert postsrsd.without(DEFAULTS, before, after, since) == "# theirs\n" + before.replace(
        "SEPARATOR==", "SEPARATOR=+"
    )


def test_a_domain_that_others_set_since_is_not_taken_back() -> None:
    after = postsrsd.assign(DEFAULTS, SHIPPED, OURS)
    assert (
        postsrsd.without(DEFAULTS, SHIPPED, after, after.replace("srs.example.org", "fwd.example.org"))
        is None
    )
    assert postsrsd.without(DEFAULTS, SHIPPED, after, f"{after}SRS_DOMAIN=fwd.example.org\n") is None


def test_what_was_taken_back_by_hand_is_left() -> None:
    after = postsrsd.assign(DEFAULTS, SHIPPED, OURS)
    by_hand = "# by hand\n" + SHIPPED
    assert postsrsd.without(DEFAULTS, SHIPPED, after, by_hand) == by_hand
