"""Asks a probe for what a conclusion needs, keeping what was seen and naming what could not be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from mailmend.model import CannotLook, Evidence, Family, Finding, Probe, Question

A = TypeVar("A")


class Unknown(CannotLook):
    """A needed answer is not known: nothing can be concluded. *evidence* is the look that failed."""

    def __init__(self, evidence: Evidence[Any]) -> None:
        super().__init__(evidence.error or "the answer is empty")
        self.evidence = evidence


class Seen:
    """A probe that keeps, in order and each once, the evidence of everything asked through it."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._evidence: dict[Any, Evidence[Any]] = {}

    def ask(self, question: Question[A], /) -> Evidence[A]:
        evidence = self._probe.ask(question)
        self._evidence[question] = evidence
        return evidence

    @property
    def evidence(self) -> tuple[Evidence[Any], ...]:
        return tuple(self._evidence.values())


def answer(probe: Probe, question: Question[A]) -> A:
    """The answer to *question*; Unknown, with the failed look, where there is none."""
    evidence = probe.ask(question)
    if evidence.answer is None:
        raise Unknown(evidence)
    return evidence.answer


def unknown(
    cause: str, subject: str, gap: CannotLook, seen: Seen | None = None, family: Family | None = None
) -> Finding:
    """The finding for what could not be looked at: never measured, never an exception."""
    evidence = seen.evidence if seen else (gap.evidence,) if isinstance(gap, Unknown) else ()
    summary = f"could not be decided for {subject}: {gap.reason}"
    return Finding(cause, subject, "unknown", summary, evidence, family=family)


def each(
    probe: Probe, subjects: Iterable[str], cause: str, look: Callable[[str, Seen], Iterable[Finding]]
) -> Iterator[Finding]:
    """*look* at every subject, with its own evidence; one that cannot be looked at is unknown."""
    for subject in subjects:
        seen = Seen(probe)
        try:
            yield from tuple(look(subject, seen))
        except CannotLook as gap:
            yield unknown(cause, subject, gap, seen)
