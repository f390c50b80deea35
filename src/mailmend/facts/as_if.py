"""A probe that answers as if files had been saved already: what Postfix would then read of them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, TypeVar, cast

from mailmend.model import CannotLook, Evidence, FileEdit, Probe, Question
from mailmend.parse import maincf, mastercf
from mailmend.questions import Defaults, File, FileState, MapLookup, Services, Setting, SettingValue, Stat

A = TypeVar("A")

_MENTION = re.compile(r"\$(?:(\w+)|\{(\w+)\}|\((\w+)\))")
ENDLESS = "a setting is made of itself"
# What stands behind the name of a table's file (DATABASE_README).
_SUFFIX = {"hash": ".db", "btree": ".db", "cdb": ".cdb", "lmdb": ".lmdb", "sdbm": ".pag", "dbm": ".pag",
           "texthash": "", "regexp": "", "pcre": "", "cidr": ""}  # fmt: skip
_DEPTH = 20  # of settings that are made of others; Postfix itself gives up at 100


class AsIf:
    """*probe*, but settings, services and files are those after *files*. What cannot be told so is an error."""

    def __init__(self, probe: Probe, files: tuple[FileEdit, ...]) -> None:
        self._probe = probe
        self._files = {edit.path: edit for edit in files}
        names = {PurePosixPath(edit.path).name: edit for edit in files}
        main, master = names.get("main.cf"), names.get("master.cf")
        self._old = maincf.parse(main.before or "") if main else None
        self._main = maincf.parse(main.after or "") if main else None
        self._master = mastercf.parse(master.after or "") if master else None

    def ask(self, question: Question[A], /) -> Evidence[A]:
        seen = self._probe.ask(question)
        try:
            answer = self._other(question, seen.answer)
        except CannotLook as gap:
            return replace(seen, answer=None, error=str(gap))
        return seen if answer is None else replace(seen, answer=cast(A, answer), error=None)

    def _other(self, question: Question[Any], now: object) -> object:
        """The answer that is another once the files are saved; None where it stays."""
        if isinstance(question, File) and question.path in self._files and isinstance(now, FileState):
            edit = self._files[question.path]
            return replace(now, exists=edit.after is not None, text=edit.after or "")
        if isinstance(question, Services) and self._master is not None:
            return self._master.services()
        if isinstance(question, Setting):
            return self._setting(question)
        if isinstance(question, MapLookup) and now is None:
            return self._new_table(question.table)
        return None

    def _new_table(self, table: str) -> str | None:
        """A table that nothing names yet is not opened; whether it is there at all can be told."""
        kind, _, path = table.partition(":")
        text = "".join(edit.after or "" for edit in self._files.values())
        if kind not in _SUFFIX or not path.startswith("/") or table not in text:
            return None
        if path in self._files and self._files[path].after is not None:
            return ""
        seen = self._probe.ask(Stat(path + _SUFFIX[kind]))
        if seen.answer is not None and not seen.answer.exists:
            raise CannotLook(f"{path}{_SUFFIX[kind]}: No such file or directory")
        return ""

    def _setting(self, question: Setting, depth: int = _DEPTH) -> SettingValue | None:
        """What a setting would be; None where it is as it was."""
        written = self._override(question)
        if written is None:
            if question.service and self._overridden_now(question):
                # Its own is gone, so main.cf applies.
                return self.ask(Setting(question.name)).answer
            if self._main is None or self._old is None or not self._differs(question.name):
                return None
            written = self._main.get(question.name)
        text = self._default(question.name) if written is None else written
        return SettingValue(self._expanded(text, question.service, depth), written)

    def _override(self, question: Setting) -> str | None:
        services = self._master.services() if self._master else self._probe.ask(Services()).answer or ()
        entry = next((s for s in reversed(services) if s.id == question.service), None)
        return dict(entry.overrides).get(question.name) if entry else None

    def _overridden_now(self, question: Setting) -> bool:
        services = self._probe.ask(Services()).answer or ()
        entry = next((s for s in reversed(services) if s.id == question.service), None)
        return entry is not None and question.name in dict(entry.overrides)

    def _differs(self, name: str, depth: int = _DEPTH) -> bool:
        """Whether *name*, or anything that it is made of, is written otherwise than before."""
        if self._main is None or self._old is None or depth == 0:
            return False
        was, now = self._old.get(name), self._main.get(name)
        if was != now:
            return True
        mentioned = {a or b or c for a, b, c in _MENTION.findall(now or "")}
        return any(self._differs(other, depth - 1) for other in mentioned - {name})

    def _default(self, name: str) -> str:
        known = self._probe.ask(Defaults())
        if known.answer is None:
            raise CannotLook(f"the default of {name} is not known: {known.error}")
        return dict(known.answer).get(name, "")

    def _expanded(self, text: str, service: str | None, depth: int) -> str:
        if depth == 0:
            raise CannotLook(ENDLESS)

        def value(mention: re.Match[str]) -> str:
            name = mention[1] or mention[2] or mention[3]
            question = Setting(name, service)
            seen = self._probe.ask(question)
            found = self._setting(question, depth - 1) or seen.answer
            if found is None:
                raise CannotLook(f"{name} could not be looked up: {seen.error}")
            return found.value or ""

        out = _MENTION.sub(value, text.replace("$$", "\0"))
        if "$" in out:
            raise CannotLook(f"what {text} comes to is seen only once it is saved")
        return out.replace("\0", "$")
