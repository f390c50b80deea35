"""Orange and Wanadoo: the last three digits of the number say why; the words say less."""

from __future__ import annotations

import pytest

from receivers.said import by, cause, own

HERE = "smtp-in.orange.fr"

NOT_ITS_OWN = {
    "a status alone": ("550 5.2.0 no", HERE),
    "three digits that are part of something": ("550 5.2.0 192.0.2.50 600417x", HERE),
    "a number that is not known": ("550 5.2.0 OFR_777 [777]", HERE),
    "digits in brackets elsewhere": ("550 no [506]", "mx.example.com"),
    "digits in brackets of nobody knows whom": ("550 no [506]", None),
    "a number of recipients": ("550 number of 506 recipients", None),
}


@pytest.mark.parametrize(("text", "host"), NOT_ITS_OWN.values(), ids=NOT_ITS_OWN)
def test_what_it_did_not_say_is_not_explained(text: str, host: str | None) -> None:
    assert own("orange", text, host) is None


REFUSED = "Service refuse. Veuillez essayer plus tard. Service refused, please try later."
SAID = {
    "service refused, 999, is the reputation": (
        f"421 mwinf5c77 ME {REFUSED} OFR_999 [999]",
        "rate-limited-reputation",
    ),
    "service refused, 505, is an error": (f"421 4.2.0 {REFUSED} OFR005_505 [505]", "receiver-error"),
    "service refused, 510, is the content": (f"550 {REFUSED} OFR004_510 [510]", "content-spam"),
    "service refused, cut off": (f"421 mwinf5c77 ME {REFUSED}", "rate-limited-reputation"),
    "only the number in brackets is left": ("421 mwinf5c04 ME [104]", "too-many-connections"),
    "a listed address": ("550 5.7.1 Client host blocked for spamming issues. OFR006_102 Ref", "dnsbl-listed"),
    "SPF": ("550 5.5.0 SPF: 192.0.2.25 is not allowed to send mail. OFR004_401 [401]", "spf-fail"),
    "no such user": (
        "550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR_416 [416]",
        "no-such-user",
    ),
    "a full mailbox": (
        "552 5.1.1 Boite du destinataire pleine. Recipient overquota. OFR_417",
        "mailbox-full",
    ),
    "rejected": ("550 5.2.0 Mail rejete. Mail rejected. ofr_506 [506]", "content-spam"),
    "DMARC": ("550 5.7.1 refused OFR_517 [517]", "dmarc-reject"),
}


@pytest.mark.parametrize(("text", "wanted"), SAID.values(), ids=list(SAID))
def test_each_reply_has_its_cause(text: str, wanted: str) -> None:
    assert cause(text, HERE) == wanted


def test_it_is_known_by_its_number_where_no_host_is() -> None:
    assert by("550 5.2.0 Mail rejete. Mail rejected. OFR_506 [506]") == ("orange", "content-spam")
