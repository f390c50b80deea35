"""Whether something else writes Postfix's files on this host, and how to say the same change to it.

What a configuration management set will be set again: a change behind its back is lost at its next run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from mailmend.model import Change, Objection, Probe
from mailmend.questions import File, Stat

_HEAD = 40  # lines of a file in which such a notice stands
_NOTICE = re.compile(
    r"(?:managed|maintained|controlled|generated|written|created) (?:automatically )?by|do not (?:edit|modify|change)"
    r"|ansible[ _]managed|local (?:changes|modifications) will be",
    re.IGNORECASE,
)
Say = Callable[[Change], str]


@dataclass(frozen=True, slots=True)
class Tool:
    """*word* betrays it in a notice; *places* are there where it is at home; *say* puts a change in its terms."""

    name: str
    word: re.Pattern[str]
    places: tuple[str, ...]
    say: Say


def _ansible(change: Change) -> str:
    if change.kind == "setting" and change.after is not None:
        return (
            "ansible.builtin.lineinfile: path=/etc/postfix/main.cf "
            f"regexp='^{change.target}\\s*=' line='{change.target} = {change.after}'"
        )
    return f"ansible.builtin.command: {_postconf(change)}"


def _puppet(change: Change) -> str:
    if change.kind == "setting" and change.after is not None:
        return f"postfix::config {{ '{change.target}': value => '{change.after}' }}"
    return f'exec {{ "{_postconf(change)}": }}'


def _chef(change: Change) -> str:
    if change.kind == "setting" and change.after is not None:
        return f"node.default['postfix']['main']['{change.target}'] = '{change.after}'"
    return f'execute "{_postconf(change)}"'


def _salt(change: Change) -> str:
    if change.kind == "setting" and change.after is not None:
        return f"postfix: {{config: {{{change.target}: '{change.after}'}}}}  (pillar of postfix-formula)"
    return f"cmd.run: {_postconf(change)}"


def _nix(change: Change) -> str:
    if change.kind == "setting" and change.after is not None:
        return f'services.postfix.settings.main.{change.target} = "{change.after}";'
    return f"services.postfix.settings.master ({change.target} = {change.after})"


def _postconf(change: Change) -> str:
    """The change as postconf(1) takes it."""
    flag = {"setting": "", "override": "P", "field": "F", "service": "M"}.get(change.kind, "")
    if change.after is None:
        return f"postconf -{flag}X '{change.target}'"
    return f"postconf -{flag or 'e'} '{change.target}={change.after}'"


TOOLS = (
    Tool("Puppet", re.compile("puppet", re.I), ("/opt/puppetlabs/puppet", "/etc/puppetlabs/puppet"), _puppet),
    Tool("Ansible", re.compile("ansible", re.I), (), _ansible),
    Tool("Chef", re.compile(r"\bchef\b", re.I), ("/etc/chef/client.rb",), _chef),
    Tool("Salt", re.compile(r"\bsalt(?:stack)?\b", re.I), ("/etc/salt/minion",), _salt),
    Tool("NixOS", re.compile(r"nixos|/nix/store", re.I), ("/etc/NIXOS",), _nix),
)


def managed(folder: str, changes: Iterable[Change], probe: Probe) -> tuple[Objection, ...]:
    """What the operator should know before *changes* are written into *folder*; none of it forbids them,
    but for files that are made anew from elsewhere and cannot be written at all (NixOS)."""
    changes = tuple(c for c in changes if c.kind != "file")
    return tuple(_all(folder, changes, probe))


def _all(folder: str, changes: tuple[Change, ...], probe: Probe) -> Iterator[Objection]:
    told: set[str] = set()
    for path in (f"{folder}/main.cf", f"{folder}/master.cf"):
        seen = probe.ask(File(path)).answer
        if seen is None or not seen.exists:
            continue
        if "/nix/store/" in (seen.link or ""):
            yield Objection(
                f"{path} is made by NixOS ({seen.link}) and cannot be changed in place",
                "; ".join(_nix(c) for c in changes) or "change configuration.nix",
            )
            return
        notice = next((n for n in map(_notice, seen.text.split("\n")[:_HEAD]) if n), None)
        if notice is None:
            continue
        tool = next((t for t in TOOLS if t.word.search(notice)), None)
        name = tool.name if tool else "something else"
        if name not in told:
            told.add(name)
            says = (
                "; ".join(tool.say(c) for c in changes)
                if tool
                else "make the same change where it is written from"
            )
            yield Objection(
                f"{path} says that {name} writes it ({notice!r}): what is changed here is lost at its next run",
                says,
                blocking=False,
            )
    for tool in TOOLS:
        if tool.name not in told and any(_there(place, probe) for place in tool.places):
            yield Objection(
                f"{tool.name} is at work on this host; where it writes Postfix's files, this change will be lost",
                "; ".join(tool.say(c) for c in changes),
                blocking=False,
            )
    if _there("/etc/.etckeeper", probe) and folder.startswith("/etc/"):
        names = ", ".join(c.target for c in changes)
        yield Objection(
            "etckeeper keeps /etc in a repository",
            f"etckeeper commit '{names}' once it is kept",
            blocking=False,
        )
    if _there("/run/ostree-booted", probe) and folder.startswith("/etc/"):
        yield Objection(
            "this host is an image (ostree): the change stays through updates as a local one of /etc, and is in no "
            "image",
            "ostree admin config-diff lists such changes; put it into the image too",
            blocking=False,
        )


def _notice(line: str) -> str | None:
    text = line.lstrip("#; \t").strip()
    return text[:120] if line.startswith("#") and _NOTICE.search(line) else None


def _there(path: str, probe: Probe) -> bool:
    seen = probe.ask(Stat(path)).answer
    return seen is not None and seen.exists
