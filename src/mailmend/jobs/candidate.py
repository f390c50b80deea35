"""A change that is not made yet -> what it would break, found out on a copy that runs beside the real server."""

from __future__ import annotations

import pwd
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mailmend.facts.harm import harm
from mailmend.facts.looking import answer
from mailmend.facts.obstacles import obstacles
from mailmend.facts.settings import tables, value
from mailmend.jobs.here import Here, Progress, silent
from mailmend.model import CannotLook, FileEdit, Probe, Refused
from mailmend.parse import milter_conf
from mailmend.parse.listing import words
from mailmend.questions import ConfigWarnings, File, Setting
from mailmend.road import tiers
from mailmend.system.probe import Remembering

if TYPE_CHECKING:
    from mailmend.system.canary import Observed, Script
    from mailmend.system.shadow import Original, Shadow

_OWN_DOMAINS = ("mydestination", "virtual_alias_domains", "virtual_mailbox_domains", "relay_domains")
_OWN_ADDRESSES = ("virtual_alias_maps", "virtual_mailbox_maps")
_FOREIGN = ("example.net", "example.com", "example.org")
_SAMPLE = 1
_SHOWN = 2
_LINE = 600  # characters
_SLOW = re.compile(r"in time$|does not listen within")
_NO_MILTER = re.compile(r"connect to Milter service inet:127\.0\.0\.1:(\d+): Connection refused")
_GRAVE = re.compile(r"\b(?:fatal|panic|error):")


def validate_candidate(here: Here, edits: tuple[FileEdit, ...], progress: Progress = silent) -> str:
    """Raise Refused, in one line, where what *edits* would save cannot run, or would break what works now.

    What is saved now is held beside it: an old defect stops no change. Returns "" where a copy of both ran, else
    why that could not be looked at (then only what stands in the files was judged). Nothing outside a private
    folder is touched, nothing is delivered. What is equal to root (tier R) must have been gated before: here
    it is executed already. CannotLook where the configuration of now cannot be read.
    """
    from mailmend.system import shadow
    from mailmend.system.live import live

    progress("trying the change on a copy")
    original = _original(here.probe)
    with ExitStack() as stack:
        try:
            candidate = stack.enter_context(shadow.cast(original, edits, here.state))
            present = stack.enter_context(shadow.cast(original, (), here.state))
        except CannotLook as gap:
            return str(gap)
        new, now = Remembering(live(str(candidate.saved))), Remembering(live(str(present.saved)))
        _require(_broken_lines(candidate, present), edits)
        for look in (_unread, obstacles_of, harm):
            _require(_plain(_only_new(look, new, now), candidate), edits)
        _require(_commands(candidate, present), edits)
        coming = milter_conf.ports({edit.path: edit.after for edit in edits})
        found, unseen = _run(candidate, present, _script(now), coming)
        _require(_plain(found, candidate), edits)
    return unseen


def validate_saved(here: Here, progress: Progress = silent) -> str:
    """Raise Refused, in one line, where a daemon dies of what is saved, tried on a copy. Returns as above.

    There is nothing to hold it against: what it refuses or lets through may be just what somebody wanted.
    """
    from mailmend.system import canary, compared, shadow
    from mailmend.system.live import live

    progress("trying what is saved on a copy")
    with ExitStack() as stack:
        try:
            copy = stack.enter_context(shadow.cast(_original(here.probe), (), here.state))
        except CannotLook as gap:
            return str(gap)
        seen = canary.observe(copy, _script(Remembering(live(str(copy.saved)))))
        if unable := compared.unable(seen):
            told = "; ".join(dict.fromkeys(_plain(unable, copy)[:_SHOWN]))
            raise Refused(
                f"what is saved would not run: {told}"[:_LINE],
                "correct it, then run it again: nothing was activated",
            )
    return seen.ended


def obstacles_of(candidate: Probe, present: Probe) -> tuple[str, ...]:
    """What would keep it from running, and does not today."""
    found = obstacles(candidate)
    return tuple(each for each in found if each not in obstacles(present)) if found else ()


def _unread(candidate: Probe, present: Probe) -> tuple[str, ...]:
    """What postconf(1) warns of, and does not today: unused, misspelt and undefined parameters."""
    known = {_anywhere(each, present) for each in answer(present, ConfigWarnings())}
    return tuple(
        each for each in answer(candidate, ConfigWarnings()) if _anywhere(each, candidate) not in known
    )


def _anywhere(text: str, probe: Probe) -> str:
    """*text* without where the configuration lies, and the number of the line."""
    return re.sub(r"line \d+", "line", text.replace(value(probe, "config_directory"), ""))


def _plain(found: tuple[str, ...], shadow: Shadow) -> tuple[str, ...]:
    """In words of the operator's own files: nothing of the folder of the copy, nor of what postconf leaves open."""
    folders = "|".join(re.escape(str(p)) for p in (shadow.saved, shadow.running, shadow.folder))
    return tuple(
        re.sub(rf"(?:{folders})/?", "", text).partition("; Postfix does not start with this either")[0]
        for text in found
    )


def _only_new(
    look: Callable[[Probe, Probe], tuple[str, ...]], candidate: Probe, present: Probe
) -> tuple[str, ...]:
    """*look*; where the candidate alone cannot be read, why."""
    try:
        return look(candidate, present)
    except CannotLook as gap:
        try:
            look(present, present)
        except CannotLook:
            return ()
        return (gap.reason,)


def _run(
    candidate: Shadow, present: Shadow, script: Script, coming: frozenset[str]
) -> tuple[tuple[str, ...], str]:
    """(what would break, why it could not be seen). *coming*: ports of milters that are started with the change."""
    from mailmend.system import canary, compared
    from mailmend.system.activation import on_terminal

    def check(shadow: Shadow) -> list[str]:
        return _grave(on_terminal(("postfix", "-c", str(shadow.running), "check")).output, shadow.running)

    with ThreadPoolExecutor(3) as pool:
        seen = [pool.submit(canary.observe, each, script) for each in (candidate, present)]
        checked = pool.submit(check, candidate)
        after, before = (each.result() for each in seen)
        said = checked.result()
    old = check(present) if said else []
    found = [f"postfix check would say: {line}" for line in said if line not in old]
    after = _awaiting(coming, after)
    broken = compared.broken(before, after, script)
    if broken and not before.ended:
        # What a daemon of both says may stand in the log of one a moment before it does in the other's.
        if _by_chance(broken):
            after = _awaiting(coming, canary.observe(candidate, script, canary.LONGER))
        known = canary.observe(present, script, canary.LONGER).complaints
        before = replace(before, complaints=(*before.complaints, *known))
        broken = compared.broken(before, after, script)
    if after.ended and before.ended:
        return tuple(found), f"no copy of the configuration runs here: {before.ended}"
    return (*broken, *found), ""


def _awaiting(coming: frozenset[str], seen: Observed) -> Observed:
    """*seen* without complaints of milters that are not there yet; the proof asks for them on the running server."""
    kept = (c for c in seen.complaints if not ((m := _NO_MILTER.search(c.text)) and m[1] in coming))
    return replace(seen, complaints=tuple(kept))


def _by_chance(found: tuple[str, ...]) -> bool:
    """Whether time alone speaks against it: a busy machine deserves a second look."""
    return bool(found) and bool(_SLOW.search(found[0]))


def _grave(output: str, folder: Path) -> list[str]:
    lines = (line.strip().replace(str(folder), "") for line in output.splitlines())
    return [line.partition(": ")[2] for line in lines if _GRAVE.search(line)]


def _broken_lines(candidate: Shadow, present: Shadow) -> tuple[str, ...]:
    known = {text for _, text in present.broken}
    return tuple(
        f"line {number} of master.cf would be no service: {text}"
        for number, text in candidate.broken
        if text not in known
    )


def _commands(candidate: Shadow, present: Shadow) -> tuple[str, ...]:
    """What pipe(8) and spawn(8) look at only when there is something to deliver: the user and the program."""
    old = {(s.id, s.command) for s in present.services}
    found = []
    for service in candidate.services:
        kind, *rest = service.command.split() or [""]
        if kind not in ("pipe", "spawn") or (service.id, service.command) in old:
            continue
        named = next((w.removeprefix("user=") for w in rest if w.startswith("user=")), "")
        argv = next((w.removeprefix("argv=") for w in rest if w.startswith("argv=")), "")
        if not named or not argv:
            found.append(f"{service.id} would run {kind} without {'argv=' if named else 'user='}")
        elif not _is_user(named.partition(":")[0]):
            found.append(f"{service.id} would run as {named}, whom this host does not know")
        elif argv.startswith("/") and not Path(argv).is_file():
            found.append(f"{service.id} would run {argv}, which is not there")
    return tuple(found)


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _script(present: Probe) -> Script:
    """Addresses of this server's own, among them one that nobody has, and two that are others'."""
    from mailmend.system.canary import Script

    own = list(dict.fromkeys(_domains(present)))
    ours = [f"postmaster@{domain}" for domain in own[:4]]
    ours += list(dict.fromkeys(_addresses(present)))[:2]
    foreign = next(
        (d for d in _FOREIGN if not any(o == d or o.endswith(f".{d}") for o in own)), "example.net"
    )
    ours += [f"mailmend-nobody@{domain}" for domain in own[:1]]
    return Script(tuple(ours), ("nobody@[192.0.2.25]", f"nobody@{foreign}"), f"postmaster@{foreign}")


def _domains(probe: Probe) -> Iterator[str]:
    """The first plain name of each list of own domains; the rest may be tables and patterns."""
    for name in _OWN_DOMAINS:
        plain = [w for w in words(value(probe, name)) if not set(w) & set(":/!$") and "." in w]
        yield from plain[:_SAMPLE]


def _addresses(probe: Probe) -> Iterator[str]:
    """The first address that a table of own addresses holds, read in its text file."""
    for name in _OWN_ADDRESSES:
        for table in tables(value(probe, name)):
            text = probe.ask(File(table.removeprefix("proxy:").partition(":")[2])).answer
            lines = text.text.splitlines()[:200] if text else []
            heads = [line.split()[0] for line in lines if line.strip() and line[0] not in "# \t/"]
            yield from [
                h for h in heads if "@" in h.strip("@") and h.isascii() and not set(h) & set("<>\"' ")
            ][:1]


def _original(probe: Probe) -> Original:
    from mailmend.system.shadow import Original

    def path(name: str) -> Path:
        return Path(value(probe, name))

    families = words(value(probe, "inet_protocols").lower())
    return Original(
        path("config_directory"), path("queue_directory"), path("data_directory"), path("daemon_directory"),
        value(probe, "mail_owner"), value(probe, "setgid_group"),
        answer(probe, Setting("maillog_file")).value is not None, "all" in families or "ipv4" in families,
    )  # fmt: skip


def _require(found: tuple[str, ...], edits: tuple[FileEdit, ...]) -> None:
    if not found:
        return
    more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    reason = "; ".join(found[:_SHOWN]) + more
    targets = [each.target for each in tiers.touched(edits)]
    if targets and not any(target.rpartition("/")[2] in reason for target in targets):
        reason += f" (by {', '.join(targets[:_SHOWN])})"
    raise Refused(f"this would break the server: {reason}"[:_LINE], "nothing was changed")
