"""A probe that answers as if changes of ours had never been saved: what checks would say on the way back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar, cast

from mailmend.model import Change, Evidence, Probe, Question
from mailmend.questions import Setting, SettingValue

A = TypeVar("A")

# What applies where main.cf says nothing, of the parameters that our remedies set; elsewhere it is "".
_DEFAULTS = {"inet_protocols": "all", "smtp_bind_address_enforce": "no"}


class Without:
    """*probe*, but settings and overrides of *changes* are those before them. Tables and services stay."""

    def __init__(self, probe: Probe, changes: Iterable[Change]) -> None:
        self._probe = probe
        self._before = {c.target: c.before for c in changes if c.kind in ("setting", "override")}

    def ask(self, question: Question[A], /) -> Evidence[A]:
        seen = self._probe.ask(question)
        if not isinstance(question, Setting) or not self._names(question.name) or seen.answer is None:
            return seen
        before = self._setting(question, cast(SettingValue, seen.answer))
        return replace(seen, answer=cast(A, before))

    def _names(self, name: str) -> bool:
        return any(target.rpartition("/")[2] == name for target in self._before)

    def _setting(self, question: Setting, now: SettingValue) -> SettingValue:
        own = f"{question.service}/{question.name}"
        before = self._before.get(own)
        if question.service and before is not None:
            return SettingValue(before, before)
        if question.name not in self._before:
            # Only the override was ours: without it, main.cf applies.
            main = self._probe.ask(Setting(question.name)).answer
            return main if own in self._before and main else now
        if question.service and own not in self._before and self._differs(question):
            return now
        before = self._before[question.name]
        return SettingValue(_DEFAULTS.get(question.name, "") if before is None else before, before)

    def _differs(self, question: Setting) -> bool:
        """Whether the service has an override of somebody else's, which stays."""
        here, main = self._probe.ask(question).answer, self._probe.ask(Setting(question.name)).answer
        return here is not None and main is not None and here.written != main.written
