"""bench explain: labelled refusals -> how often explain is right, so that anyone can measure it on their own.

A row is a JSON object with `text` and `cause`, and, where known, `receiver`, `coarse` and `who`; without the
last two those of the cause's page are held to be right. Names may have hyphens or underscores.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from mailmend import catalogue
from mailmend.model import ParseError, Refusal
from mailmend.road import explain as road

Step = Callable[[int, int], None]
NOT_EXPLAINED = "unknown"


@dataclass(frozen=True, slots=True)
class Row:
    """A refusal as somebody has it, and what a person says about it; None and () where they do not."""

    text: str
    cause: str
    receiver: str | None
    coarse: str | None
    who: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ratio:
    """*right* of *total*."""

    right: int
    total: int

    @property
    def share(self) -> float | None:
        return self.right / self.total if self.total else None


@dataclass(frozen=True, slots=True)
class Measure:
    """How often explain is right.

    *coverage*: any cause is given. *fine*: it is the labelled one; *acceptable*: or the reply is told to be
    ambiguous and the labelled one is among the causes that are named. *coarse*: its class is. *who*: the first
    who is asked to act is one of those who must. *macro_f1* weighs every cause alike. *confusion* has
    (labelled, given, how often), the most frequent first.
    """

    rows: int
    skipped: int
    coverage: Ratio
    fine: Ratio
    acceptable: Ratio
    coarse: Ratio
    who: Ratio
    receiver: Ratio
    macro_f1: float | None
    confusion: tuple[tuple[str, str, int], ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class _Answer:
    cause: str
    ambiguous: tuple[str, ...]
    who: tuple[str, ...]
    receiver: str | None


def explain(name: str, data: bytes, progress: Step | None = None) -> Measure:
    """Measure on the JSON Lines *data* of the file *name*. Raises ParseError with the line."""
    rows, skipped = _rows(name, data)
    known = catalogue.load()
    pages = known.causes
    for row in rows:
        if row.cause not in pages and row.coarse is None:
            raise ParseError(f"{name}: there is no cause {row.cause}", "`mailmend list causes` has them all")
    began = perf_counter()
    answers = []
    for number, row in enumerate(rows):
        answers.append(_answer(row.text, known))
        if progress:
            progress(number + 1, len(rows))
    seconds = perf_counter() - began
    return _measured(rows, answers, known, skipped, seconds)


def _measured(
    rows: Sequence[Row],
    answers: Sequence[_Answer],
    known: catalogue.Catalogue,
    skipped: int,
    seconds: float,
) -> Measure:
    def coarse(cause: str) -> str:
        return _plain(known.causes[cause].coarse) if cause in known.causes else ""

    def who(cause: str) -> tuple[str, ...]:
        return known.causes[cause].who if cause in known.causes else ()

    pairs = list(zip(rows, answers, strict=True))
    confusion = Counter((row.cause, given.cause) for row, given in pairs if row.cause != given.cause)
    return Measure(
        rows=len(rows),
        skipped=skipped,
        coverage=_ratio(given.cause != NOT_EXPLAINED for _, given in pairs),
        fine=_ratio(row.cause == given.cause for row, given in pairs),
        acceptable=_ratio(row.cause in (given.cause, *given.ambiguous) for row, given in pairs),
        coarse=_ratio((row.coarse or coarse(row.cause)) == coarse(given.cause) for row, given in pairs),
        who=_ratio(
            bool(given.who) and given.who[0] in (row.who or who(row.cause) or given.who[:1])
            for row, given in pairs
        ),
        receiver=_ratio(row.receiver == given.receiver for row, given in pairs if row.receiver),
        macro_f1=_macro_f1([(row.cause, given.cause) for row, given in pairs]),
        confusion=tuple(
            (label, given, count)
            for (label, given), count in sorted(confusion.items(), key=lambda entry: (-entry[1], entry[0]))
        ),
        seconds=seconds,
    )


def _answer(text: str, known: catalogue.Catalogue) -> _Answer:
    """What explain says of *text*: of several refusals the first that it can explain."""
    try:
        refusals: Sequence[Refusal] = road.explain(road.deliveries(text.encode(), known), known)
    except ParseError:
        refusals = ()
    explained = [one for one in refusals if one.cause != NOT_EXPLAINED] or list(refusals)
    if not explained:
        return _Answer(NOT_EXPLAINED, (), (), None)
    first = explained[0]
    return _Answer(first.cause, first.ambiguous, first.who, first.receiver)


def _ratio(right: Iterable[bool]) -> Ratio:
    seen = list(right)
    return Ratio(sum(seen), len(seen))


def _macro_f1(pairs: Sequence[tuple[str, str]]) -> float | None:
    """The mean over the labelled causes of the harmonic mean of precision and recall."""
    hits = Counter(label for label, given in pairs if label == given)
    labelled = Counter(label for label, _ in pairs)
    given_at_all = Counter(given for _, given in pairs)
    scores = [2 * hits[cause] / (labelled[cause] + given_at_all[cause]) for cause in labelled]
    return sum(scores) / len(scores) if scores else None


def _rows(name: str, data: bytes) -> tuple[list[Row], int]:
    """The labelled rows, and how many have no label."""
    rows, skipped = [], 0
    for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
        if not line.strip():
            continue
        try:
            table = json.loads(line)
        except ValueError as error:
            raise ParseError(f"{name}: line {number}: {error}", "one JSON object a line") from None
        if not isinstance(table, dict) or not isinstance(table.get("text"), str):
            raise ParseError(f"{name}: line {number}: no `text`", "give the refusal's text as `text`")
        if table.get("cause"):
            rows.append(_row(table))
        else:
            skipped += 1
    if not rows:
        raise ParseError(f"{name}: no row has a `cause`", 'a row: {"text": "550 ...", "cause": "spf-fail"}')
    return rows, skipped


def _row(table: dict[str, Any]) -> Row:
    who = table.get("who") or ()
    return Row(
        text=table["text"],
        cause=_plain(str(table["cause"])),
        receiver=str(table["receiver"]) if table.get("receiver") else None,
        coarse=_plain(str(table["coarse"])) if table.get("coarse") else None,
        who=tuple(_plain(str(each)) for each in ([who] if isinstance(who, str) else who)),
    )


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", "-")
