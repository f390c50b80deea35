"""What main.cf and master.cf are told by: it is another after they were saved, whoever did it and however."""

from __future__ import annotations

from pathlib import Path

Stamp = tuple[int, ...]
_DEFAULT = Path("/etc/postfix")


def stamp(config_directory: str | None) -> Stamp:
    """That of the instance at *config_directory*, None for the default one. Two calls of stat(2)."""
    folder = Path(config_directory) if config_directory else _DEFAULT
    told: list[int] = []
    for name in ("main.cf", "master.cf"):
        try:
            found = (folder / name).stat()
            # The time of the change of status (inode(7)) is nobody's to set, as that of the content is (`cp -p`).
            told += [found.st_ino, found.st_ctime_ns]
        except OSError:
            told += [0, 0]
    return tuple(told)
