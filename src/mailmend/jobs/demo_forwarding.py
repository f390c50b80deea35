"""demo forwarding: every kind of sender, each cure, both families: what was foretold, and what became of the mail.

Foretold from what mailmend measures in the relay before any mail is sent; what became of it, Postfix's log says. Where
there can be no lab, both are read from a recording, and what is foretold is concluded anew from what was measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mailmend.jobs import foretelling
from mailmend.jobs.here import Progress
from mailmend.model import CannotLook, Family

if TYPE_CHECKING:
    from mailmend.lab import Attempt, Lab
    from mailmend.road.causes import Causes

Verdict = Literal["accepted", "refused", "unknown"]
_PARTS = ("allowed", "mail", "ways")  # of what is measured (foretelling.py)
_RECORDING = "demo_forwarding.jsonl"
_KEPT = 300  # characters of a reply that are recorded: its cause is told by its beginning


@dataclass(frozen=True, slots=True)
class Cell:
    """Mail of *sender* (lab/senders.py) with *cure*, to a receiver that is tried over *family* first.

    *cause* is what the receiver refused it for, as the catalogue reads its reply, "" where it was accepted; *foretold*
    what it would be.
    """

    sender: str
    cure: str
    family: Family
    predicted: Verdict
    outcome: Verdict
    cause: str
    foretold: str

    @property
    def right(self) -> bool:
        return (self.predicted, self.foretold) == (self.outcome, self.cause)


@dataclass(frozen=True, slots=True)
class Forwarded:
    """*why* it is a recording, "" where it is none."""

    recorded: bool
    cells: tuple[Cell, ...]
    why: str = ""

    @property
    def wrong(self) -> tuple[Cell, ...]:
        return tuple(cell for cell in self.cells if not cell.right)


@dataclass(frozen=True, slots=True)
class Run:
    """One set-up: of each sender what was *measured* in it, and the first refusal of his mail, None for none."""

    cure: str
    family: Family
    measured: dict[str, Any]
    refusals: dict[str, dict[str, str] | None]


def play(progress: Progress, *, record: Path | None = None) -> Forwarded:
    """In the lab, or where there can be none, from the recording. *record* keeps what happened in a file."""
    from mailmend.lab import open_lab

    with ExitStack() as closing:
        try:
            lab = closing.enter_context(open_lab(progress))
        except CannotLook as reason:
            if record is not None:
                raise
            why = f"{reason.reason}: a recorded run is shown instead"
            progress(why)
            return Forwarded(True, tuple(_cells(_recorded())), why)
        runs = tuple(_played(lab, progress))
    if record is not None:
        _write_down(runs, record)
    return Forwarded(False, tuple(_cells(runs)))


def _played(lab: Lab, progress: Progress) -> Iterator[Run]:
    from mailmend.jobs import forwarding_stage as stage

    every = list(product(stage.CURES, stage.FAMILIES))
    for number, (cure, family) in enumerate(every, 1):
        progress(f"{number} of {len(every)}: {_said(cure)}, {_words(family)} first: foretelling")
        stage.begin(lab, cure, family)
        measured = stage.measured(lab)
        progress(f"{number} of {len(every)}: {_said(cure)}, {_words(family)} first: sending")
        yield Run(cure, _family(family), measured, _became(stage.outcomes(lab)))


def _became(found: dict[str, list[Attempt]]) -> dict[str, dict[str, str] | None]:
    """Of each sender the first refusal, None where all of his messages were accepted."""
    refused = {name: [each for each in attempts if each.status != "sent"] for name, attempts in found.items()}
    return {
        name: {"relay": one[0].relay or "", "status": one[0].status, "text": one[0].text[:_KEPT]}
        if one
        else None
        for name, one in refused.items()
    }


def _said(cure: str) -> str:
    return {"none": "no cure", "all": "all cures"}.get(cure, cure)


def _words(family: str) -> str:
    return {"ipv4": "IPv4", "ipv6": "IPv6"}[family]


def _family(name: str) -> Family:
    return "ipv6" if name == "ipv6" else "ipv4"


def _cells(runs: tuple[Run, ...]) -> Iterator[Cell]:
    from mailmend import catalogue
    from mailmend.road.causes import Causes

    causes = Causes(catalogue.load())
    for run in runs:
        for sender, seen in run.measured.items():
            told = foretelling.foretold(seen)
            verdicts = {prediction.verdict for _, prediction in told}
            refusal = run.refusals[sender]
            yield Cell(
                sender,
                run.cure,
                run.family,
                verdicts.pop() if len(verdicts) == 1 else "unknown",
                "refused" if refusal else "accepted",
                _cause(refusal, causes) if refusal else "",
                told[0][1].cause,
            )


def _cause(refusal: dict[str, str], causes: Causes) -> str:
    """What the receiver said, as the catalogue reads it."""
    from mailmend.parse.logscan import Failed

    host, _, ip = refusal["relay"].partition("[")
    failed = Failed(
        "", "", "", "", None, "", None, host, ip.removesuffix("]"), "", "", refusal["status"], refusal["text"]
    )
    return causes.of(failed).cause


def _write_down(runs: tuple[Run, ...], path: Path) -> None:
    """One line a run; what was measured alike is written once, and named by its place."""
    alike: dict[str, int] = {}

    def place(thing: Any) -> int:
        return alike.setdefault(json.dumps(thing, sort_keys=True), len(alike))

    lines = [
        {
            "cure": run.cure,
            "family": run.family,
            "cells": {
                name: [*(place(seen[part]) for part in _PARTS), place(run.refusals[name])]
                for name, seen in run.measured.items()
            },
        }
        for run in runs
    ]
    things = [json.loads(text) for text in alike]
    path.write_text("".join(json.dumps(each) + "\n" for each in (things, *lines)))


def _recorded() -> tuple[Run, ...]:
    text = files("mailmend.lab").joinpath(_RECORDING).read_text("utf-8")
    things, *lines = [json.loads(line) for line in text.splitlines()]
    runs = []
    for line in lines:
        parts = {name: [things[place] for place in places] for name, places in line["cells"].items()}
        measured = {name: dict(zip(_PARTS, each, strict=False)) for name, each in parts.items()}
        refusals = {name: each[-1] for name, each in parts.items()}
        runs.append(Run(line["cure"], line["family"], measured, refusals))
    return tuple(runs)
