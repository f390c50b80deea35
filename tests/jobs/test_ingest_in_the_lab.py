"""What a real Postfix did with mail is in the store, though its log is rotated meanwhile."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

pytestmark = pytest.mark.lab
LOG = "/var/log/mail.log"


def answer(relay: Any, *arguments: str) -> dict[str, Any]:
    done = relay.mailmend("--json", *arguments)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_what_became_of_mail_is_in_the_store(lab: Any) -> None:
    lab.reset()
    lab.relay.start()
    first = lab.outcomes(lab.send(count=12)).values()
    some = answer(lab.relay, "ingest")["taken"]
    assert some["deliveries"] >= len(first)
    lab.relay.run(["gzip", "--keep", LOG])
    lab.relay.run(["mv", f"{LOG}.gz", f"{LOG}.2.gz"])
    assert answer(lab.relay, "ingest")["taken"]["deliveries"] == 0
    lab.relay.run(["cp", LOG, f"{LOG}.1"])
    lab.relay.run(["truncate", "--size=0", LOG])
    second = lab.outcomes(lab.send(count=4)).values()
    store = answer(lab.relay, "ingest")["store"]
    told = answer(lab.relay, "report", f"{LOG}.1", LOG)
    assert store["deliveries"] == sum(row["count"] for row in told["deliveries"])
    assert store["unparsed"] == 0
    became = Counter(each.status for each in (*first, *second))
    assert became["bounced"]  # as it does before it is cured
    assert store["failed"] >= became["bounced"] + became["deferred"]
