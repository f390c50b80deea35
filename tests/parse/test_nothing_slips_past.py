"""Whatever is written, and however: what the real postconf reads anew of what is equal to root is seen."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailmend.model import FileEdit, Refused
from mailmend.road.tiers import require, touched

ROOT = "daemon_directory"
NAMES = [ROOT, "here", "there", "biff", "queue_directory"]
_value = st.one_of(
    st.sampled_from(
        ["/a", "/b", "yes", "", "$here", "${here}", "$(there)", "${here?/a}", "${there:/b}", "$$here", "/a#b"]
    ),
    st.text(alphabet="ab/$({}) #=", max_size=6),
)
_line = st.builds(
    lambda name, gap, value, more: f"{name}{gap}{value}{more}",
    st.sampled_from(NAMES),
    st.sampled_from([" = ", "=", " =", "\t= ", "= "]),
    _value,
    st.sampled_from(["", "", "\n  /c", "\n# c\n\t/d", "\n\n /e", "\r", " "]),
)
_other = st.sampled_from(["# comment", "", "  # indented", f"#{ROOT} = /x"])
_main = st.lists(st.one_of(_line, _line, _other), max_size=5).map(lambda lines: "\n".join(lines) + "\n")
_option = st.builds(
    lambda style, name, value: style.format(name, value),
    st.sampled_from(
        ["-o {}={}", "-o {{ {} = {} }}", "-v -o {}={}", "\n  -o {}={}", "\n# c\n  -o {}={}", "x -o {}={}"]
    ),
    st.sampled_from([ROOT, "biff", "syslog_name"]),
    st.sampled_from(["/a", "/b", "$here", ""]),
)
_master = st.lists(st.lists(_option, max_size=3), min_size=1, max_size=2).map(
    lambda entries: "".join(f"s{n} unix - - n - - smtp {' '.join(e)}\n" for n, e in enumerate(entries))
)
_folder = [HealthCheck.function_scoped_fixture]
few = settings(max_examples=25, deadline=None, suppress_health_check=_folder)
many = settings(max_examples=200, deadline=None, suppress_health_check=_folder)
Postconf = Callable[..., object]


def read(
    postconf: Callable[..., object], folder: Path, main: str, master: str, *arguments: str
) -> str | None:
    """What postconf reads; None where it cannot: then no daemon starts with it either."""
    (folder / "main.cf").write_text(main)
    (folder / "master.cf").write_text(master)
    for name in ("main.cf", "master.cf"):
        os.utime(folder / name, (0, 0))  # Postfix naps before it reads a file that is seconds old
    done = postconf("-c", str(folder), *arguments)
    return done.stdout if done.returncode == 0 else None  # type: ignore[attr-defined]


def main_cf(postconf: Postconf, folder: Path, before: str, after: str) -> None:
    reads = [read(postconf, folder, text, "", "-xh", ROOT) for text in (before, after)]
    files = (FileEdit("/etc/postfix/main.cf", before, after),)
    if None not in reads and reads[0] != reads[1]:
        with pytest.raises(Refused, match=ROOT):
            require(files, frozenset())
    if before == after:
        assert touched(files) == ()


def master_cf(postconf: Postconf, folder: Path, before: str, after: str) -> None:
    def overrides(text: str) -> list[str] | None:
        out = read(postconf, folder, "here = /x\n", text, "-P")
        return None if out is None else [line for line in out.splitlines() if f"/{ROOT} " in line]

    was, now = overrides(before), overrides(after)
    if was is None or now is None:
        return
    # A service that goes takes its overrides with it, and runs nothing any more.
    left = {line.partition(" ")[0] for line in after.splitlines()}
    if [line for line in was if line.partition("/")[0] in left] != now:
        with pytest.raises(Refused):
            require((FileEdit("/etc/postfix/master.cf", before, after),), frozenset())


@few
@given(_main, _main)
def test_no_way_to_write_main_cf_hides_it(
    postconf: Postconf, tmp_path: Path, before: str, after: str
) -> None:
    main_cf(postconf, tmp_path, before, after)


@few
@given(_master, _master)
def test_no_way_to_write_master_cf_hides_it(
    postconf: Postconf, tmp_path: Path, before: str, after: str
) -> None:
    master_cf(postconf, tmp_path, before, after)


@pytest.mark.slow
@many
@given(_main, _main)
def test_no_way_to_write_main_cf_at_all(postconf: Postconf, tmp_path: Path, before: str, after: str) -> None:
    main_cf(postconf, tmp_path, before, after)


@pytest.mark.slow
@many
@given(_master, _master)
def test_no_way_to_write_master_cf_at_all(
    postconf: Postconf, tmp_path: Path, before: str, after: str
) -> None:
    master_cf(postconf, tmp_path, before, after)
