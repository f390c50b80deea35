"""Run in the lab's relay: senders on stdin -> what is measured of their mail and its ways, before any is sent.

[{"name", "recipient", "allowed": int|None, "sender": {forward_measured.Sender}}]
-> {NAME: {"allowed", "mail": {forward_outcome.Mail}, "ways": [{forward_outcome.Way}]}}
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import msgspec

from mailmend.facts.forward_measured import Sender, mail, ways
from mailmend.facts.forward_outcome import Mail, Prediction, Way, predict

if TYPE_CHECKING:
    from mailmend.model import Probe


def look(asked: list[dict[str, Any]], probe: Probe) -> dict[str, Any]:
    told = {}
    for each in asked:
        sender = Sender(**each["sender"])
        told[each["name"]] = {
            "allowed": each["allowed"],
            "mail": asdict(mail(sender, probe)),
            "ways": [asdict(way) for way in ways(sender, each["recipient"], probe)],
        }
    return told


def foretold(seen: dict[str, Any]) -> list[tuple[Way, Prediction]]:
    """What *seen*, one answer of `look`, makes of this mail, by each way that it may take first."""
    one = msgspec.convert(seen["mail"], Mail)
    every = [msgspec.convert(way, Way) for way in seen["ways"]]
    return [(way, predict(one, way, allowed=seen["allowed"])) for way in every]


if __name__ == "__main__":
    from mailmend.system.live import live
    from mailmend.system.probe import Remembering

    json.dump(look(json.load(sys.stdin), Remembering(live())), sys.stdout)
