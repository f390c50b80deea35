"""Our part of a configuration file is taken back, what others changed in it since stays (postconf(5), master(5))."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath

from mailmend.model import FileEdit, Refused
from mailmend.parse import maincf, mastercf, milter_conf, postsrsd
from mailmend.questions import Service


def postfix(edit: FileEdit, current: str) -> str | None:
    """*current* with the settings that *edit* changed as they were before; None where that cannot be told.

    None: it is no file whose settings are known here, or one of them was changed again since.
    """
    if edit.before is None or edit.after is None:
        return None
    name = PurePath(edit.path).name
    if name == "main.cf":
        return _main(maincf.parse(edit.before), maincf.parse(edit.after), maincf.parse(current))
    if name == "master.cf":
        return _master(mastercf.parse(edit.before), mastercf.parse(edit.after), mastercf.parse(current))
    if edit.path in milter_conf.FILES:
        return milter_conf.without(edit.path, edit.before, edit.after, current)
    return postsrsd.without(edit.path, edit.before, edit.after, current)


def _main(before: maincf.MainCf, after: maincf.MainCf, current: maincf.MainCf) -> str | None:
    ours = [n for n in {*before.names(), *after.names()} if before.get(n) != after.get(n)]
    for name in sorted(ours):
        if current.get(name) == before.get(name):
            continue
        if current.get(name) != after.get(name):
            return None
        current = current.take(name, before)
    return str(current) if ours else None


def _master(before: mastercf.MasterCf, after: mastercf.MasterCf, current: mastercf.MasterCf) -> str | None:
    ours = False
    for service in dict.fromkeys([s.id for s in (*before.services(), *after.services())]):
        was, became, now = (cf.service_text(service) for cf in (before, after, current))
        if was == became:
            continue
        ours = True
        try:
            taken = _service(service, (was, became, now), before, after, current)
        except Refused:
            return None
        if taken is None:
            return None
        current = taken
    return str(current) if ours else None


def _service(
    service: str,
    texts: tuple[str | None, str | None, str | None],
    before: mastercf.MasterCf,
    after: mastercf.MasterCf,
    current: mastercf.MasterCf,
) -> mastercf.MasterCf | None:
    """*current* with our part of one entry undone; *texts* is the entry before, after and now."""
    was, became, now = texts
    if now in (was, became):
        return current.take(service, before)
    if was is None or became is None or now is None or _plain(before, service) != _plain(after, service):
        return None
    names = {
        name for cf in (before, after) for s in cf.services() if s.id == service for name, _ in s.overrides
    }
    for name in sorted(names):
        old, new = before.override(service, name), after.override(service, name)
        if old == new or current.override(service, name) == old:
            continue
        if current.override(service, name) != new:
            return None
        current = current.assign_override(service, name, old)
    return current


def _plain(cf: mastercf.MasterCf, service: str) -> list[Service]:
    """The entry without its overrides: its fields, its program and arguments."""
    return [replace(s, overrides=()) for s in cf.services() if s.id == service]
