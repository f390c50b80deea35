"""The journal after a cursor -> blocks of its lines, and the cursor behind them (journalctl(1) --after-cursor)."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

from mailmend.model import CannotLook
from mailmend.system import follow, host, logfiles

_CURSOR = b"-- cursor: "


def blocks(cursor: str) -> Iterator[tuple[bytes, str]]:
    """What was logged after *cursor* (""; all), with the cursor that it ends at: told with the last block alone.

    CannotLook: the journal cannot be read.
    """
    if not host.has_command("journalctl"):
        raise CannotLook("there is no journalctl to read the journal with", "install systemd's")
    after = [f"--after-cursor={cursor}"] if cursor else []
    with subprocess.Popen(
        [*follow.JOURNALCTL, "--show-cursor", *after],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=host.environment(),
    ) as reader:
        assert reader.stdout and reader.stderr  # noqa: S101 (both are pipes)
        rest = b""
        try:
            while data := reader.stdout.read(logfiles.BLOCK):
                # The last line may be the cursor: it is kept back until more comes.
                whole, last, rest = _parted(rest + data)
                rest = last + rest
                if whole:
                    yield whole, cursor
        except BaseException:  # whoever reads has stopped reading
            reader.terminate()
            raise
        said = reader.stderr.read().decode("utf-8", "replace").strip()
        if reader.wait() > 0 and said:
            raise CannotLook(
                f"the journal: {said.splitlines()[0]}", "run it as root, or in group systemd-journal"
            )
    lines, cut, found = (b"\n" + rest).rpartition(b"\n" + _CURSOR)
    yield lines[1:] + b"\n" if len(lines) > 1 else b"", found.decode().strip() if cut else cursor


def _parted(data: bytes) -> tuple[bytes, bytes, bytes]:
    """All lines but the last whole one, that one, and what has no end yet."""
    end = data.rfind(b"\n") + 1
    start = data.rfind(b"\n", 0, max(0, end - 1)) + 1
    return data[:start], data[start:end], data[end:]
