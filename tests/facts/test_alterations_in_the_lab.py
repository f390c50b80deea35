"""What master.cf sets for one service changes mail as much as what main.cf sets for all, and is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from mailmend.lab import Lab

pytestmark = pytest.mark.lab
TAG = {"forwards": "u@example.org someone@gmail.com\n", "tag": "/^Subject: (.*)/ REPLACE Subject: [x] $1\n"}
CLIENT, CLEANUP = "smtp unix - - n - - smtp\n", "cleanup unix n - n - 0 cleanup\n"
DOOR = "smtp inet n - n - - smtpd\n"
MINE = "submission inet n - n - - smtpd\n"


@pytest.fixture
def clean(lab: Lab) -> Iterator[Lab]:
    yield lab
    lab.reset()


def doors(lab: Lab, master: str, **main: str) -> tuple[list[str], str, str]:
    """What is said to alter mail, what may, and what becomes of a signed forward."""
    forwards = {"virtual_alias_maps": "texthash:/etc/postfix/forwards", "inet_protocols": "ipv4"}
    lab.reset(main={**forwards, **main}, master_extra=master, files=TAG)
    lab.relay.start()
    lab.receiver.world("strict")
    mail = {"sender": "alice@both-reject.example", "signer": "both-reject.example"}
    (outcome,) = lab.outcomes(lab.send(to="u@example.org", count=1, **mail)).values()
    told: dict[str, Any] = json.loads(lab.relay.mailmend("--json", "check", "forwarding").stdout)
    seen = told["doors"]
    return [name for name, _why in seen["alters"]], " ".join(seen["unseen"]), outcome.status


def test_what_only_the_operators_own_people_pass_is_no_question(clean: Lab) -> None:
    master = f"{MINE}  -o content_filter=smtp:[127.0.0.1]:10025\n  -o smtpd_milters=inet:127.0.0.1:9\n"
    assert doors(clean, master) == ([], "", "sent")


@pytest.mark.parametrize(
    ("master", "setting"),
    [
        (f"{CLIENT}  -o smtp_header_checks=regexp:/etc/postfix/tag\n", "smtp_header_checks"),
        (f"{CLEANUP}  -o header_checks=regexp:/etc/postfix/tag\n", "header_checks"),
    ],
    ids=["client", "cleanup"],
)
def test_what_one_service_changes_is_named_as_what_breaks_signatures(
    clean: Lab, master: str, setting: str
) -> None:
    alters, _, status = doors(clean, master)
    assert setting in alters
    assert status == "bounced"


@pytest.mark.parametrize(
    ("master", "main", "name"),
    [
        ("", {"smtp_generic_maps": "inline:{u@example.org=u@isp.example}"}, "smtp_generic_maps"),
        (f"{DOOR}  -o content_filter=smtp:[127.0.0.1]:10025\n", {}, "content_filter"),
    ],
    ids=["generic", "filter"],
)
def test_what_may_change_it_is_never_called_nothing(
    clean: Lab, master: str, main: dict[str, str], name: str
) -> None:
    """generic(5) changed the To: of this one, which its author had signed; the filter is not there at all."""
    alters, unseen, status = doors(clean, master, **main)
    assert alters == []
    assert unseen.startswith(name)
    assert status != "sent"
