"""Postfix's configuration as Postfix itself reads it: postconf(1), master(5), postmulti(1), postmap(1)."""

from __future__ import annotations

import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mailmend.model import CannotLook, ParseError
from mailmend.parse import listing
from mailmend.questions import Entries, Instance, MapEntries, MapLookup, Service, Setting, SettingValue
from mailmend.system import host

_ASSIGNMENT = re.compile(r"([^\s=]+) =(?: (.*))?")
_COMPLAINT = re.compile(r"(?:\S*/)?post\w+: (?:fatal|error|panic): (.*)")
_WARNING = re.compile(r"(?:\S*/)?post\w+: warning: (.*)")
_TABLE_WORD = re.compile(r"[\s,{}]+")
# Postfix sets this one per daemon (>= 3.3); postconf, which is no daemon, expands it to nothing.
_SERVICE_NAME = re.compile(r"\$(?:service_name\b|\(service_name\)|\{service_name\})")


@dataclass(frozen=True, slots=True)
class Effective:
    """All parameters: *values* expanded, *written* as main.cf has them, and what postconf warned of."""

    values: dict[str, str]
    written: dict[str, str]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Key:
    """By what a file that was not touched since is known."""

    main: tuple[int, ...]
    master: tuple[int, ...]


class Configuration:
    """One configuration directory. Bulk answers are kept as long as main.cf and master.cf stay as they are.

    *directory* None is the directory that postconf uses by itself.
    """

    def __init__(self, directory: str | None = None) -> None:
        self._given = os.path.abspath(directory) if directory else None  # noqa: PTH100 (no link is followed)
        self._lock = threading.RLock()
        self._directory: Path | None = Path(self._given) if self._given else None
        self._key: _Key | None = None
        self._main: Effective | None = None
        self._services: tuple[Service, ...] | None = None
        self._by_service: dict[str, Effective] = {}

    # ---- where it is ----------------------------------------------------------------------

    @property
    def directory(self) -> Path:
        """The configuration directory. CannotLook: no Postfix here."""
        with self._lock:
            if self._directory is None:
                # The compiled-in value, whatever main.cf says: this is where it would be read.
                found = self._postconf("-dh", "config_directory").stdout.strip()
                if not found:
                    raise CannotLook("postconf does not name its configuration directory")
                self._directory = Path(found)
            return self._directory

    def _fresh(self) -> None:
        """Forget what was read from files that are not the same any more."""
        key = _Key(_identity(self.directory / "main.cf"), _identity(self.directory / "master.cf"))
        if key != self._key:
            self._key, self._main, self._services, self._by_service = key, None, None, {}

    # ---- settings -------------------------------------------------------------------------

    def setting(self, question: Setting) -> SettingValue:
        """The effective value, `$name` expanded with the service's own `-o` in force."""
        if question.service is None:
            main = self.main()
            return SettingValue(main.values.get(question.name), main.written.get(question.name))
        effective = self._of_service(question.service)
        return SettingValue(effective.values.get(question.name), effective.written.get(question.name))

    def value(self, name: str) -> str:
        """A main.cf parameter's effective value, "" where it is empty or unknown."""
        return self.setting(Setting(name)).value or ""

    def warnings(self) -> tuple[str, ...]:
        """What postconf(1) itself warns of, each once: unused, undefined and overridden parameters."""
        return self.main().warnings

    def main(self) -> Effective:
        """All of main.cf and the defaults."""
        with self._lock:
            self._fresh()
            if self._main is None:
                # Side by side: over a main.cf younger than two seconds each call naps for one.
                with ThreadPoolExecutor(2) as pool:
                    every, explicit = pool.map(self._postconf, ("-x", "-n"))
                warned = [m[1] for m in _WARNING.finditer(every.stderr + explicit.stderr)]
                self._main = Effective(
                    _assignments(every.stdout), _assignments(explicit.stdout), tuple(dict.fromkeys(warned))
                )
            return self._main

    def _of_service(self, service_id: str) -> Effective:
        with self._lock:
            self._fresh()
            if service_id not in self._by_service:
                self._by_service[service_id] = self._overridden(service_id)
            return self._by_service[service_id]

    def _overridden(self, service_id: str) -> Effective:
        # Of two entries with one name and type, master(8) runs the last.
        entry = next((s for s in reversed(self.services()) if s.id == service_id), None)
        if entry is None:
            raise CannotLook(f"master.cf has no service {service_id}")
        main = self.main()
        own = dict(entry.overrides)
        # A parameter that mentions another one follows that one's -o: so postconf expands with all of them.
        forced = {n: _SERVICE_NAME.sub(entry.name, v) for n, v in own.items()}
        forced |= {
            n: _SERVICE_NAME.sub(entry.name, v)
            for n, v in main.written.items()
            if n not in own and _SERVICE_NAME.search(v)
        }
        if not forced:
            return main
        options = [part for name, value in forced.items() for part in ("-o", f"{name}={value}")]
        values = _assignments(self._postconf(*options, "-x").stdout)
        # What only this service defines is no parameter that postconf lists; the daemon has it all the same.
        return Effective(
            {**{n: v for n, v in forced.items() if "$" not in v}, **values}, main.written | own, ()
        )

    # ---- the rest -------------------------------------------------------------------------

    def services(self) -> tuple[Service, ...]:
        """master.cf, entry by entry."""
        from mailmend.parse import mastercf

        with self._lock:
            self._fresh()
            if self._services is None:
                path = self.directory / "master.cf"
                try:
                    text = path.read_bytes().decode("utf-8", "surrogateescape")
                except FileNotFoundError:
                    raise CannotLook(f"{path} does not exist", "Postfix cannot run without it") from None
                except PermissionError:
                    raise CannotLook(f"{path} may not be read by {host.user()}", "run it as root") from None
                try:
                    parsed = mastercf.parse(text)
                except ParseError as bad:
                    raise CannotLook(f"{path}: {bad.reason}", bad.next_step) from None
                if parsed.broken:
                    raise CannotLook(f"{path}, line {parsed.broken[0]}: not an entry that master(8) accepts")
                self._services = parsed.services()
            return self._services

    def instances(self) -> tuple[Instance, ...]:
        """`postmulti -l`: name, group, enabled, directory."""
        rows = [line.split(None, 3) for line in self._run("postmulti", "-l").splitlines()]
        return tuple(
            Instance("" if r[0] == "-" else r[0], "" if r[1] == "-" else r[1], r[2] == "y", r[3])
            for r in rows
            if len(r) == 4
        )

    def defaults(self) -> tuple[tuple[str, str], ...]:
        """`postconf -d`."""
        return tuple(_assignments(self._postconf("-d").stdout).items())

    def map_types(self) -> tuple[str, ...]:
        """`postconf -m`."""
        return tuple(self._postconf("-m").stdout.split())

    def map_lookup(self, question: MapLookup) -> str:
        """`postmap -q KEY TABLE`; only tables that the configuration names are opened."""
        if question.key in ("", "-") or any(ord(c) < 0x20 or ord(c) == 0x7F for c in question.key):
            raise CannotLook(f"{question.key!r} cannot be looked up in a table")
        if question.table not in self.tables():
            raise CannotLook(f"{question.table} is not a table that {self.directory} names")
        argv = ["postmap", "-c", str(self.directory), "-q", question.key, question.table]
        # Where daemons live: a socket is named relative to it, within a chroot and without (socketmap_table(5)).
        queue = self.value("queue_directory")
        done = host.command(argv, folder=queue if os.access(queue, os.X_OK) else "/")
        if done.returncode and (
            trouble := _of_server(done.stderr) or _complaint(done.stderr) or done.stderr.strip()
        ):
            raise CannotLook(f"{question.table}: {trouble.splitlines()[0]}")
        return done.stdout.removesuffix("\n")

    def map_entries(self, question: MapEntries) -> Entries:
        """`postmap -s TABLE`; only tables that the configuration names are opened."""
        if question.table not in self.tables():
            raise CannotLook(f"{question.table} is not a table that {self.directory} names")
        done = host.command(["postmap", "-c", str(self.directory), "-s", question.table])
        if done.returncode:
            trouble = _complaint(done.stderr) or done.stderr.strip() or "it cannot be listed"
            raise CannotLook(f"{question.table}: {trouble.splitlines()[0]}")
        lines = done.stdout.splitlines()
        pairs = (line.partition("\t") for line in lines[: question.most])
        found = tuple((key.rstrip("\0"), text.rstrip("\0")) for key, _, text in pairs)
        return Entries(found, len(lines) > question.most)

    def tables(self) -> frozenset[str]:
        """Every `type:name` that main.cf or a `-o` of master.cf mentions, with and without `proxy:`."""
        texts = list(self.main().values.values())
        texts += [self._of_service(s.id).values.get(n, "") for s in self.services() for n, _ in s.overrides]
        # An inline:{...} table is one word; tables inside other values stand between braces too.
        found = {word for text in texts for word in (*_TABLE_WORD.split(text), *listing.words(text))}
        words = {word for word in found if ":" in word}
        return frozenset(words | {word.removeprefix("proxy:") for word in words})

    # ---- the programs ---------------------------------------------------------------------

    def _postconf(self, *arguments: str) -> _Output:
        where = ["-c", self._given] if self._given else []
        try:
            done = host.command(["postconf", *where, *arguments])
        except CannotLook as missing:
            raise CannotLook(
                f"Postfix is not installed here: {missing.reason}", "run it on the mail server"
            ) from None
        if done.returncode:
            raise _unreadable(_complaint(done.stderr) or f"postconf ended with {done.returncode}")
        return _Output(done.stdout, done.stderr)

    def _run(self, program: str, *arguments: str) -> str:
        done = host.command([program, *arguments])
        if done.returncode:
            said = _complaint(done.stderr) or done.stderr.strip().partition("\n")[0]
            raise CannotLook(said or f"{program} ended with {done.returncode}")
        return done.stdout


@dataclass(frozen=True, slots=True)
class _Output:
    stdout: str
    stderr: str


def _identity(path: Path) -> tuple[int, ...]:
    try:
        about = path.stat()
    except OSError as failure:
        return (failure.errno or 0,)
    return (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns)


def _assignments(text: str) -> dict[str, str]:
    return {m[1]: m[2] or "" for line in text.splitlines() if (m := _ASSIGNMENT.fullmatch(line))}


def _complaint(stderr: str) -> str:
    return next((m[1] for line in stderr.splitlines() if (m := _COMPLAINT.fullmatch(line))), "")


def _of_server(stderr: str) -> str:
    """What was wrong with the server behind a table: the last line says only that there was an error."""
    if "query error" not in _complaint(stderr):
        return ""
    return next((m[1] for line in stderr.splitlines() if (m := _WARNING.fullmatch(line))), "")


def _unreadable(reason: str) -> CannotLook:
    """postconf's own fatal line, with what to do about it."""
    if "Permission denied" in reason:
        return CannotLook(reason.removeprefix("open "), "run it as root" if os.geteuid() else "")
    if "No such file" in reason:
        return CannotLook(reason.removeprefix("open "), "name the directory with -c, or install Postfix")
    return CannotLook(reason, "Postfix does not start with this either: correct it first")
