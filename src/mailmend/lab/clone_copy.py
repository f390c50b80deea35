"""A host's files -> a copy in memory, read only: main.cf and master.cf of all instances, the tables they name.

Nothing is written to the host, nor to any disk; private keys are not even opened.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path

from mailmend.lab.clone_tables import SUFFIXES
from mailmend.lab.clone_values import Part
from mailmend.model import CannotLook
from mailmend.parse import milter_conf

# Larger tables would only slow the rehearsal down; none of the test mails needs them.
LARGEST = 64 << 20
_SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Source:
    """The instances of a host, by the directory of each, the main one first.

    *defaults* are Postfix's own values for each directory (Part.defaults); *edits* lie over the files.
    """

    directories: tuple[str, ...]
    defaults: Mapping[str, Mapping[str, str]]
    edits: Mapping[str, str | None] = field(default_factory=dict)

    def with_edits(self, edits: Mapping[str, str | None]) -> Source:
        return replace(self, edits={**self.edits, **edits})

    def parts(self) -> Iterator[Part]:
        """Each instance's two files. CannotLook where one cannot be read."""
        for directory in self.directories:
            texts = []
            for name in ("main.cf", "master.cf"):
                path = f"{directory}/{name}"
                text = self._read(path)
                if text is None:
                    raise CannotLook(f"{path} does not exist", "rehearse needs a whole configuration")
                texts.append(text)
            yield Part(directory, texts[0], texts[1], self.defaults.get(directory, {}))

    def exists(self, path: str) -> bool:
        """Whether something is there; where nobody may look it is taken to be."""
        if path in self.edits:
            return self.edits[path] is not None
        try:
            return Path(path).exists()
        except OSError:
            return True

    def served(self, place: str) -> bool:
        """Whether a server is at *place*, a path or `host:port`; one on another machine is taken to be.

        So is a milter that an edit tells to be there: whoever writes it starts the milter anew.
        """
        host, _, port = place.rpartition(":")
        if "/" in place or not _loopback(host):
            return "/" not in place or self.exists(place)
        return int(port) in _listening() or port in milter_conf.ports(self.edits)

    def table(self, kind: str, path: str) -> str | None:
        """A table's text; where only its index is there, what that holds. None where neither is."""
        text = self._read(path)
        suffix = SUFFIXES.get(kind)
        if text is not None or suffix is None or not Path(path + suffix).exists():
            return text
        # postmap(1) -s: all keys and values of the index.
        try:
            done = subprocess.run(
                ["postmap", "-s", f"{kind}:{path}"], env={"PATH": _SEARCH, "LC_ALL": "C"}, timeout=60,
                capture_output=True, check=False, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as failure:
            raise CannotLook(f"its text is gone, and its index cannot be read here: {failure}") from None
        if done.returncode:
            raise CannotLook("its text is gone, and its index cannot be read here")
        return done.stdout.decode("utf-8", "surrogateescape")

    def stale(self, kind: str, path: str) -> bool:
        """Whether the text was changed after its index was made: then Postfix does not read what it says."""
        suffix = SUFFIXES.get(kind)
        if suffix is None or path in self.edits:
            return False
        try:
            return Path(path).stat().st_mtime > Path(path + suffix).stat().st_mtime
        except OSError:
            return False

    def list(self, path: str) -> str | None:
        """A plain file that a value names; None where it is no file that can be read."""
        try:
            return self._read(path) if path in self.edits or Path(path).is_file() else None
        except (CannotLook, OSError):
            return None

    def _read(self, path: str) -> str | None:
        if path in self.edits:
            return self.edits[path]
        try:
            if Path(path).stat().st_size > LARGEST:
                raise CannotLook(f"it has more than {LARGEST >> 20} MB")
            return Path(path).read_bytes().decode("utf-8", "surrogateescape")
        except FileNotFoundError:
            return None
        except PermissionError:
            raise CannotLook(f"{path} may not be read", "run it as root") from None
        except OSError as failure:
            raise CannotLook(f"{path} cannot be read: {failure.strerror}") from None


def names_of(directories: Sequence[str]) -> tuple[str, ...]:
    """Each directory once, as it is spelled without a slash at its end."""
    return tuple(dict.fromkeys(str(Path(directory)) for directory in directories))


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listening() -> frozenset[int]:
    """The TCP ports on which something listens (proc(5), /proc/net/tcp: state 0A)."""
    ports = set()
    for name in ("tcp", "tcp6"):
        try:
            lines = Path("/proc/net", name).read_text().splitlines()[1:]
        except OSError:
            continue
        fields = [line.split() for line in lines]
        ports |= {int(f[1].rpartition(":")[2], 16) for f in fields if f[3] == "0A"}
    return frozenset(ports)
