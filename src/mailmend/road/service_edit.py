"""master.cf as somebody wants it -> the services, columns and `-o` that this changes, and what cannot be said so.

As `road.file_edit` for main.cf: the file's text goes no further, each change is one that `mailmend set` takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mailmend import settings
from mailmend.facts.written import column
from mailmend.model import FileEdit, Refused
from mailmend.parse import logical, mastercf
from mailmend.parse.assignment import COLUMNS
from mailmend.parse.mastercf import Entry, MasterCf
from mailmend.road import tiers
from mailmend.road.file_edit import Changed, Edit, Unsaid, differing, line_at
from mailmend.settings import TIERS, Known, Tier

_RUN = ("command", "unprivileged", "chroot")  # what is run, as whom and where: equal to root


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a target is to be; *after* None takes it out. *name* is what of *service* is meant, "" all of it."""

    service: str
    name: str
    before: str | None
    after: str | None

    @property
    def target(self) -> str:
        return f"{self.service}/{self.name}" if self.name else self.service


def master_cf(before: str, after: str, path: str = "/etc/postfix/master.cf") -> Edit:
    """What it takes to bring *before*, the file at *path*, to mean what *after* means, as a browser sends it.

    Each change has the tier that setting it from outside has: what differs is judged by `road.tiers`.
    """
    after = after.replace("\r\n", "\n").replace("\n", logical.line_end(before))
    old, new = mastercf.parse(before), mastercf.parse(after)
    unsaid = [
        Unsaid(n, line_at(after, n), "this is no service: it has fewer than eight fields") for n in new.broken
    ]
    result, done = old, list[tuple[_Wanted, int]]()
    for id_ in dict.fromkeys(s.id for s in (*new.services(), *old.services())):
        line = _of(new if _last(new, id_) else old, id_)
        both = [[s for s in parsed.services() if s.id == id_] for parsed in (old, new)]
        if both[0] == both[1]:
            continue
        if max(map(len, both)) > 1:
            unsaid.append(Unsaid(line, id_, "it stands there more than once"))
            continue
        for wanted in _differs(_last(old, id_), _last(new, id_)):
            try:
                result = _applied(result, wanted)
            except Refused as refused:
                unsaid.append(Unsaid(line, wanted.target, refused.reason))
                continue
            done.append((wanted, line))
    judged = _judged(FileEdit(path, before, str(result)))
    changed = [Changed(_known(w, judged), w.before, w.after, line) for w, line in done]
    said = {w.service for w, _ in done}
    unsaid += differing(
        str(result), after, (_lines(mastercf.parse(str(result))), _lines(new)), new.broken, said
    )
    return Edit(tuple(changed), tuple(sorted(set(unsaid), key=lambda each: each.line)))


def _last(parsed: MasterCf, id_: str) -> Entry | None:
    return next((e for e in reversed(parsed.entries) if e.service.id == id_), None)


def _of(parsed: MasterCf, id_: str) -> int:
    return next(e.line.number for e in reversed(parsed.entries) if e.service.id == id_)


def _differs(was: Entry | None, is_: Entry | None) -> Iterator[_Wanted]:
    if was is None or is_ is None:
        entry = was or is_
        assert entry is not None  # noqa: S101 (it is a service of one of them)
        yield _Wanted(entry.service.id, "", _text(was), _text(is_))
        return
    old, new = was.service, is_.service
    for name in COLUMNS:
        if column(old, name) != column(new, name):
            yield _Wanted(new.id, name, column(old, name), column(new, name))
    before, after = dict(old.overrides), dict(new.overrides)
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) != after.get(name):
            yield _Wanted(new.id, name, before.get(name), after.get(name))


def _text(entry: Entry | None) -> str | None:
    """The entry on one line, as a command takes it."""
    return None if entry is None else " ".join(word for word, _, _ in entry.words)


def _applied(result: MasterCf, wanted: _Wanted) -> MasterCf:
    if not wanted.name:
        if wanted.after is None:
            return result.remove_service(wanted.service)
        return result.add_service(wanted.after)
    if wanted.name in COLUMNS:
        return result.assign_column(wanted.service, wanted.name, wanted.after or "-")
    return result.assign_override(wanted.service, wanted.name, wanted.after)


def _judged(edit: FileEdit) -> dict[str, tiers.Touched]:
    """By target, the worst that is said of it."""
    found: dict[str, tiers.Touched] = {}
    for each in tiers.touched((edit,)):  # the most dangerous first
        found.setdefault(each.target, each)
    return found


def tier_of(name: str) -> Tier:
    """The least tier of setting *name* of a service: a column, a parameter by `-o`, or ("") the whole entry."""
    if name in ("", *_RUN):
        return "R"
    if name in COLUMNS:
        return "M" if name == "private" else "P"
    return settings.load().of(name).tier


def _known(wanted: _Wanted, judged: dict[str, tiers.Touched]) -> Known:
    seen = judged.get(wanted.target)
    own = tier_of(wanted.name)
    tier = min((own, seen.tier) if seen else (own,), key=TIERS.index)
    # master(8) reads master.cf at a reload, whatever of it differs.
    return Known(
        wanted.target, tier, "reload", seen.concerns if seen else None, "master(5)", seen.why if seen else ""
    )


def _lines(parsed: MasterCf) -> dict[int, str]:
    """Each physical line of a service, counted from 1, with its name and type."""
    found, at, number = dict[int, str](), 0, 1
    for entry in parsed.entries:
        for offset, _ in entry.line.pieces:
            number += parsed.text.count("\n", at, offset)
            at = offset
            found[number] = entry.service.id
    return found
