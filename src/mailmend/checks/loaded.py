"""The running Postfix uses the configuration that is saved: reloaded and, where needed, restarted since."""

from __future__ import annotations

from collections.abc import Iterator

from mailmend.facts.endpoints import canonical, configured
from mailmend.facts.expect import socket_name
from mailmend.facts.looking import Seen, answer, unknown
from mailmend.facts.settings import value
from mailmend.model import CannotLook, Finding, Probe, Scope, family_of
from mailmend.parse.listing import words
from mailmend.questions import Listeners, Master, Running, StartedWith, Stat

CAUSES = ("postfix-not-running", "saved-not-loaded", "loaded-not-restarted")


def check(probe: Probe, scope: Scope) -> Iterator[Finding]:
    """Whether master runs, each file against the last reload, and the sockets against inet_*."""
    seen = Seen(probe)
    try:
        running = answer(seen, Master())
    except CannotLook as gap:
        yield unknown("postfix-not-running", "postfix", gap, seen)
        return
    if running.pid is None:
        says = "no master runs for this configuration: no mail is taken or sent"
        yield Finding("postfix-not-running", "postfix", "measured", says, seen.evidence)
        return
    since = f" since {running.since.isoformat(timespec='seconds')}" if running.since else ""
    says = f"master runs with pid {running.pid}{since}"
    yield Finding("postfix-not-running", "postfix", "cleared", says, seen.evidence)
    for name in ("main.cf", "master.cf"):
        yield _saved(probe, running, name)
    yield from _restarted(probe, running)
    yield from _started_with(probe, running)


def _saved(probe: Probe, running: Running, name: str) -> Finding:
    """qmgr is started anew by every reload; a file younger than it has not been loaded."""
    seen = Seen(probe)
    seen.ask(Master())
    try:
        path = f"{value(seen, 'config_directory')}/{name}"
        modified = answer(seen, Stat(path)).modified
    except CannotLook as gap:
        return unknown("saved-not-loaded", name, gap, seen)
    if modified is None or running.reloaded is None:
        missing = "save" if modified is None else "reload"
        says = f"could not be decided for {name}: the time of the last {missing} is not known"
        return Finding("saved-not-loaded", name, "unknown", says, seen.evidence)
    loaded = running.reloaded.isoformat(timespec="seconds")
    saved = modified.isoformat(timespec="seconds")
    if modified > running.reloaded:
        says = (
            f"{path} was saved {saved}, after the last reload ({loaded}): "
            "new smtp and smtpd processes read it already, the others do not"
        )
        return Finding("saved-not-loaded", name, "measured", says, seen.evidence)
    says = f"{path} was saved {saved} and loaded {loaded}"
    return Finding("saved-not-loaded", name, "cleared", says, seen.evidence)


def _restarted(probe: Probe, running: Running) -> Iterator[Finding]:
    """Only stop and start carries inet_protocols and inet_interfaces to the sockets: so ask the sockets."""
    seen = Seen(probe)
    seen.ask(Master())
    try:
        asked = {(e.address, e.port) for e in configured(seen)}
        really = {(canonical(s.address), s.port) for s in answer(seen, Listeners())}
        protocols, interfaces = value(seen, "inet_protocols"), value(seen, "inet_interfaces")
    except CannotLook as gap:
        yield unknown("loaded-not-restarted", "inet_protocols", gap, seen)
        return
    # A port that is wholly new or gone is a master.cf change, for which a reload is enough.
    ports = {port for _, port in asked} & {port for _, port in really}
    wrong = sorted(key for key in asked ^ really if key[1] in ports)
    families = {family_of(address) for address, _ in asked}, {family_of(address) for address, _ in really}
    subject = "inet_protocols" if families[0] != families[1] else "inet_interfaces"
    text = protocols if subject == "inet_protocols" else interfaces
    if not wrong:
        says = f"the sockets are those of inet_protocols = {protocols} and inet_interfaces = {interfaces}"
        yield Finding("loaded-not-restarted", "inet_protocols", "cleared", says, seen.evidence)
        return
    names = ", ".join(socket_name(*key) for key in wrong)
    started = f", running since {running.since.isoformat(timespec='seconds')}," if running.since else ""
    says = (
        f"{subject} = {text} is saved, but master{started} still holds other sockets ({names} differ): "
        "Postfix must be stopped and started, a reload keeps them"
    )
    yield Finding("loaded-not-restarted", subject, "measured", says, seen.evidence)


def _started_with(probe: Probe, running: Running) -> Iterator[Finding]:
    """What only a start reads: the process itself shows what it was started with.

    Where that cannot be seen, the sockets could not be either, and are reported as unknown.
    """
    seen = Seen(probe)
    used = dict(seen.ask(StartedWith()).answer or ())
    environment = _environment(probe) if used else {}
    for name, old in used.items():
        setting, _, variable = name.partition("/")
        try:
            new = environment.get(variable, "") if variable else value(seen, setting)
        except CannotLook:
            continue
        if new and old != new:
            what = f"{setting} sets {variable} to {new}" if variable else f"{setting} = {new}"
            started = (
                f", running since {running.since.isoformat(timespec='seconds')}," if running.since else ""
            )
            says = (
                f"{what} is saved, but master{started} was started with {old or 'nothing'}: "
                "Postfix must be stopped and started"
            )
            yield Finding("loaded-not-restarted", setting, "measured", says, seen.evidence)


def _environment(probe: Probe) -> dict[str, str]:
    """The NAME=VALUE entries of import_environment (postconf(5)); {} where it cannot be read."""
    try:
        entries = words(value(probe, "import_environment"))
    except CannotLook:
        return {}
    pairs = (entry.strip("{} ").partition("=") for entry in entries if "=" in entry)
    return {name.strip(): text.strip() for name, _, text in pairs}
