"""T-Online: not known here yet, which it calls a problem, a bad reputation or a block list."""

from __future__ import annotations

import pytest

from receivers.said import by, cause, match, own

HERE = "mx00.t-online.de"

NOT_ITS_OWN = {
    "a code alone": ("554 IP=192.0.2.25", HERE),
    "(BL) elsewhere": ("554 IP=192.0.2.25 (BL)", "mx.example.com"),
    "(DIAL) elsewhere": ("554 no (DIAL)", "mx.example.com"),
    "(BL) of nobody knows whom": ("554 refused (BL)", None),
}


@pytest.mark.parametrize(("text", "host"), NOT_ITS_OWN.values(), ids=NOT_ITS_OWN)
def test_what_it_did_not_say_is_not_explained(text: str, host: str | None) -> None:
    assert own("t-online", text, host) is None


SAID = {
    "a problem occurred, (BL), is not a listing": (
        "554 IP=192.0.2.25 - A problem occurred. (Ask your postmaster for help or to contact tosa@rx.t-online.de"
        " to clarify.) (BL)",
        "ip-not-allowlisted",
    ),
    "none/bad reputation is none": (
        "554 IP=192.0.2.25 - None/bad reputation. Ask your postmaster for help or to contact tobr@rx.t-online.de"
        " for reset. (NOWL)",
        "ip-not-allowlisted",
    ),
    "cut off": ("554 IP=192.0.2.25 - None/bad reputation. Ask your post", "ip-not-allowlisted"),
    "a dynamic address": (
        "554 IP=192.0.2.25 - Dialup/transient IP not allowed. Use a mailgateway or contact tosa@rx.t-online.de",
        "dynamic-ip",
    ),
    "spam or a virus": ("550-5.7.0 Message considered as spam or virus, rejected", "content-spam"),
}


@pytest.mark.parametrize(("text", "wanted"), SAID.values(), ids=list(SAID))
def test_each_reply_has_its_cause(text: str, wanted: str) -> None:
    assert cause(text, HERE) == wanted


def test_a_problem_that_occurred_may_be_a_listing_after_all() -> None:
    found = match("554 IP=192.0.2.25 - A problem occurred. (BL)", HERE)
    assert found is not None
    assert found.rule.ambiguous == ("ip-not-allowlisted", "private-blocklist")


def test_it_is_known_by_its_address_where_no_host_is() -> None:
    said = "554 IP=192.0.2.25 - A problem occurred. (Ask your postmaster or contact tosa@rx.t-online.de) (BL)"
    assert by(said) == ("t-online", "ip-not-allowlisted")
