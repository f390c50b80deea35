"""A private folder as a server has it, what Postfix there has read, and whether all of it is as it may be.

The files have owners, modes and attributes of their own; main.cf is a link. Postfix is a model of it: whether it
runs, and the texts that it read when it was last started or reloaded.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mailmend.model import FileEdit

MAIN = "# ours, \udce9dit\udce9\nmyhostname = relay.example.org\ninet_protocols = all\n" + "".join(
    f"# line {number} of a configuration that grew for years\n" for number in range(40)
)
MASTER = "smtp      inet  n       -       y       -       -       smtpd\n" * 25
TRANSPORT = "example.net smtp:[192.0.2.9]\n"
TABLE = "/^[^ ]+\\.google(mail)?\\.com\\. [^ ]+ IN AAAA / IGNORE\n"
_ATTRIBUTE = "user.mailmend.test"

# name in etc: the text before and after, owner, mode, attribute.
OLD: dict[str, str | None] = {
    "main.cf": MAIN,
    "master.cf": MASTER,
    "transport": TRANSPORT,
    "ipv4_only_receivers": None,
}
NEW: dict[str, str | None] = {
    "main.cf": MAIN.replace("= all", "= ipv4"),
    "master.cf": MASTER + "relay unix - - n - - smtp\n  -o inet_protocols=ipv4\n",
    "transport": TRANSPORT + "example.com smtp:[192.0.2.10]\n",
    "ipv4_only_receivers": TABLE,
}
_KEPT = {"main.cf": (12, 0o640), "master.cf": (0, 0o600), "transport": (12, 0o644)}
_NEW_FILE = (0, 0o644)
_BESIDE = {"main.cf", "main.real.cf", *OLD}


@dataclass
class Postfix:
    """What runs. *loaded* are the texts that it read last; *sick* are words for a start or proof that must fail."""

    etc: Path
    runs: bool = True
    loaded: dict[str, str | None] = field(default_factory=dict)
    sick: set[str] = field(default_factory=set)
    activations: int = 0

    def serve(self, verb: str) -> object:
        """What becomes of a request: `stop`, `start`, `reload`, `look`, `guard`."""
        if verb == "stop":
            self.runs = False
        elif verb == "guard":
            return "started"
        elif verb == "look":
            return {"runs": self.runs, "loaded": named(self.loaded)}
        elif verb == "reload" and not self.runs:
            return "the Postfix mail system is not running"
        else:
            self.activations += 1
            self.loaded = texts(self.etc)
            if named(self.loaded) in self.sick:
                self.runs = False
                return "fatal: bad configuration"
            self.runs = True
        return None

    def hear(self, root: Path, serve: Callable[[str], object]) -> None:
        """What undo.sh asked of the program that stands for Postfix's own (acts.commands), told to *serve*."""
        asked = root / "asked"
        for verb in asked.read_text().split() if asked.exists() else []:
            self.etc = root / "read" if verb != "stop" else self.etc
            serve(verb)
        self.etc = root / "etc"
        asked.unlink(missing_ok=True)


@dataclass
class Scene:
    """The folder *root*: etc (with main.cf a link into site), state, units; and the server that reads etc."""

    root: Path
    postfix: Postfix
    ran: bool = True

    @property
    def etc(self) -> Path:
        return self.root / "etc"

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def units(self) -> Path:
        return self.root / "units"

    def edits(self) -> tuple[FileEdit, ...]:
        return tuple(FileEdit(str(self.etc / name), OLD[name], NEW[name]) for name in OLD)

    def pair(self) -> str:
        """`old`, `new`, `mixed` (every file whole, but not of one time), or what is broken."""
        seen = {name: self._file(name) for name in OLD}
        if broken := [f"{name} {how}" for name, how in seen.items() if how not in ("old", "new")]:
            return f"broken: {', '.join(broken)}"
        return seen["main.cf"] if len(set(seen.values())) == 1 else "mixed"

    def _file(self, name: str) -> str:
        path = self.etc / name
        if name == "main.cf" and (not path.is_symlink() or path.readlink() != Path("../site/main.real.cf")):
            return "is no link any more"
        text = texts(self.etc)[name]
        which = "old" if text == OLD[name] else "new" if text == NEW[name] else ""
        if not which:
            return "is missing" if text is None else f"holds {len(text)} characters of neither"
        return which if text is None or _metadata(path) == expected(name) else f"lost {_metadata(path)}"

    def beside(self) -> list[str]:
        """What lies there and should not, once all is over."""
        names = {entry.name for folder in (self.etc, self.root / "site") for entry in folder.iterdir()}
        kept = {"lock", "history"}
        return sorted(
            [
                *(names - _BESIDE),
                *(f"state/{path.name}" for path in _inside(self.state) if path.name not in kept),
                *(f"history/{p.name}" for p in _inside(self.state / "history") if p.suffix != ".json"),
                *(f"units/{p.name}" for p in self.units.rglob("*") if not p.is_dir()),
            ]
        )


def _inside(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def build(root: Path, ran: bool = True) -> Scene:
    """A fresh scene at *root*, in which Postfix runs on the old files, or was stopped by somebody."""
    shutil.rmtree(root, ignore_errors=True)
    for name in ("etc", "site", "units"):
        (root / name).mkdir(parents=True)
    (root / "etc/main.cf").symlink_to("../site/main.real.cf")
    for name, text in OLD.items():
        if text is not None:
            path = root / "etc" / name
            path.write_bytes(text.encode("utf-8", "surrogateescape"))
            dress(path, name)
    etc = root / "etc"
    return Scene(root, Postfix(etc, runs=ran, loaded=texts(etc)), ran)


def dress(path: Path, name: str) -> None:
    """Give a file the owner, mode and attribute that it must still have afterwards."""
    group, mode, attribute = expected(name)
    os.chown(path, -1, group)
    path.chmod(mode)
    if attribute:
        os.setxattr(path, _ATTRIBUTE, attribute.encode())


def expected(name: str) -> tuple[int, int, str]:
    """The group, mode and attribute of *name*; a group of one's own only root can give."""
    group, mode = _KEPT.get(name, _NEW_FILE)
    return group if os.geteuid() == 0 else os.getgid(), mode, "kept" if name in _KEPT else ""


def _metadata(path: Path) -> tuple[int, int, str]:
    state = path.stat()
    there = _ATTRIBUTE in os.listxattr(path)
    attribute = os.getxattr(path, _ATTRIBUTE).decode() if there else ""
    return state.st_gid, state.st_mode & 0o7777, attribute


def texts(etc: Path) -> dict[str, str | None]:
    """The text of every file, None where it is not there."""

    def read(path: Path) -> str | None:
        try:
            return path.read_bytes().decode("utf-8", "surrogateescape")
        except FileNotFoundError:
            return None

    return {name: read(etc / name) for name in OLD}


def named(loaded: dict[str, str | None]) -> str:
    """`old`, `new` or `mixed`."""
    return "old" if loaded == OLD else "new" if loaded == NEW else "mixed"
