"""What a cause's page tells people to type is what this Postfix and this mailmend take."""

from __future__ import annotations

import json
import re
import shlex

import pytest

from mailmend import causes
from mailmend.lab import Lab

pytestmark = pytest.mark.lab


def _told() -> list[tuple[str, list[str]]]:
    """(cause, words) of each `mailmend set` in a page: a block's line with those that continue it, or inline code."""
    found = []
    for cause, told in sorted(causes.load().items()):
        text = told.page.replace("\\\n", " ")
        lines = [line.strip() for line in text.splitlines() if line.startswith("    mailmend set ")]
        inline = re.findall(r"`(mailmend set [^`]+)`", " ".join([" ".join(text.split()), *told.steps]))
        found += [(cause, shlex.split(line)[1:]) for line in dict.fromkeys((*lines, *inline))]
    return found


TOLD = _told()


def test_no_page_sends_people_round_the_transaction() -> None:
    for cause, told in causes.load().items():
        assert "postconf -e" not in told.page + " ".join(told.steps), cause
    assert len(TOLD) > 15


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        pytest.param(
            cause, words, id=f"{cause}-{words[1][:30]}", marks=pytest.mark.slow if number % 6 else ()
        )
        for number, (cause, words) in enumerate(TOLD)
    ],
)
def test_every_setting_that_a_page_names_is_taken(lab: Lab, cause: str, told: list[str]) -> None:
    lab.reset()
    relay = lab.relay
    relay.write("/etc/postfix/sasl_passwd", "[smtp.provider.example]:587 user:secret\n")
    relay.run(["postmap", "/etc/postfix/sasl_passwd"])
    relay.run(["postconf", "-e", "smtp_tls_security_level="])  # Debian has set it already
    done = relay.mailmend("--json", told[0], "--dry-run", *told[1:])
    assert done.returncode in (0, 1), (cause, done.stderr)
    assert json.loads(done.stdout)["plan"]["changes"], cause
