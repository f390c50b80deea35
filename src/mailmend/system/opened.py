"""A log as it lies, packed or not, or the journal -> a stream of its bytes; CannotLook where it cannot be read."""

from __future__ import annotations

import bz2
import gzip
import importlib
import lzma
import os
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import IO, Any

from mailmend.model import CannotLook
from mailmend.system import follow, host

_MAGIC = {b"\x1f\x8b": "gz", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zst", b"BZh": "bz2"}
_OPENERS: dict[str, Any] = {"gz": gzip.open, "xz": lzma.open, "bz2": bz2.open}
# What logrotate(8) makes of a log's name: .1, .2.gz, -20261122, .20261122-000000.xz.
PACKED = (".gz", ".xz", ".bz2", ".zst")
ROTATED = r"[.-]\d[\d.-]{0,30}(?:\.gz|\.xz|\.bz2|\.zst)?"


def packing(begins: bytes) -> str | None:
    """How a file that *begins* so (six bytes will do) is packed: gz, xz, zst, bz2; None: not at all."""
    return next((kind for magic, kind in _MAGIC.items() if begins.startswith(magic)), None)


@contextmanager
def log(path: Path, fd: int | None = None) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """What is in *path*, and the file as it lies, whose position tells how far it was read.

    *fd*: it is open as that already, and stays so; one at a time may read it. FileNotFoundError: it is not there (any
    more). CannotLook: it cannot be read, or not to its end.
    """
    with readable(path), path.open("rb", buffering=0) if fd is None else FileIO(os.dup(fd)) as raw:
        raw.seek(0)
        kind = packing(raw.read(6))
        raw.seek(0)
        with unpacked(path, raw, kind) as stream:
            yield stream, raw


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Whatever goes wrong with *path* in here, as CannotLook; that it is not there, as it is."""
    try:
        yield
    except PermissionError:
        raise follow.unreadable(path) from None
    except FileNotFoundError:
        raise
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as broken:
        raise _not_to_its_end(path, getattr(broken, "strerror", None) or str(broken)) from None


@contextmanager
def unpacked(path: Path, raw: IO[bytes], kind: str | None) -> Iterator[IO[bytes]]:
    """What is in *raw*, the file *path* without a buffer, packed as *kind*, from where it stands."""
    if kind is None:
        yield raw
    elif kind != "zst":
        with _OPENERS[kind](raw, "rb") as stream:
            yield stream
    elif sys.version_info >= (3, 14):
        with importlib.import_module("compression.zstd").open(raw, "rb") as stream:
            yield stream
    else:
        if not host.has_command("zstd"):
            raise CannotLook(
                f"{path} is packed by zstd, which is not installed here", "install zstd, or unpack it"
            )
        with _piped(["zstd", "-dcq"], raw) as (stream, ended):
            yield stream
            if (said := ended()) is not None:
                raise _not_to_its_end(path, said or "zstd found it broken")


@contextmanager
def journal(*options: str) -> Iterator[IO[bytes]]:
    """The journal's mail, as *options* of journalctl(1) choose of it."""
    if not host.has_command("journalctl"):
        raise CannotLook("there is no journalctl to read the journal with", "install systemd's")
    with _piped([*follow.JOURNALCTL, *options], None) as (stream, ended):
        yield stream
        if said := ended():  # where nothing is in it, it fails without a word
            raise CannotLook(f"the journal: {said}", "run it as root, or in group systemd-journal")


def _not_to_its_end(path: Path, said: str) -> CannotLook:
    return CannotLook(
        f"{path} cannot be read to its end: {said}", "leave it out, or unpack what can be unpacked"
    )


_Piped = tuple[IO[bytes], Callable[[], str | None]]


@contextmanager
def _piped(argv: list[str], given: IO[bytes] | None) -> Iterator[_Piped]:
    """What a program writes that is *given* a file, or nothing; and, for the end, the first line that it fails with.

    That is None where all went well, or nobody wanted the rest.
    """
    with subprocess.Popen(
        argv,
        stdin=given or subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=host.environment(),
    ) as reader:
        assert reader.stdout and reader.stderr  # noqa: S101 (both are pipes)
        written, said = reader.stdout, reader.stderr

        def ended() -> str | None:
            if written.read(1):
                reader.terminate()
                return None
            words = said.read().decode("utf-8", "replace").strip().splitlines()
            return (words[0] if words else "") if reader.wait() > 0 else None

        try:
            yield written, ended
        except BaseException:  # whoever reads has stopped reading
            reader.terminate()
            raise
