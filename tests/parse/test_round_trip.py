"""Thousands of odd files: what we read is what postconf(1) reads, and an edit changes its own lines alone.

Continuations with comments and blank lines inside, duplicates, every kind of white space, bytes that are no
text, braces and dollars, carriage returns, files without an end.
"""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from mailmend.model import Refused
from mailmend.parse import logical, maincf, mastercf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from mailmend.parse.mastercf import MasterCf

# What postconf itself would act on, or add by itself.
ACTED_ON = re.compile(
    r"config_directory|maillog_file.*|meta_directory|shlib_directory|import_environment"
    r"|mynetworks_style|inet_protocols|inet_interfaces|myhostname|compatibility_level|process_.*|service_name"
)
# Each look is a process: a failing file is told as it is, not made smaller by a thousand more.
PHASES = (Phase.explicit, Phase.generate)
BLANKS = re.compile(r"[ \t\n\v\f\r]+")
# Of dollars whole expressions alone: over half of one postconf ends, though the file can be read.
LETTERS = "abz019,;:=#@/.%-_+!'\"\\(){}[]<>?*|&^~`é\x85\u2028\xa0\udce9\udcff\x01\x1f\x7f"
EXPANSIONS = (
    "$v1", "${x?{a b}:{c}}", "${v1}", "$(v2)", "{ a = b }", "$$", "$x y", "#c", "= =",
)  # fmt: skip


def examples(config: pytest.Config, quick: int) -> int:
    """How many files: *quick* by default, 600 with --slow, 10,000 with --full."""
    if config.getoption("--full"):
        return 10_000
    return 600 if config.getoption("--slow") else quick


def each(count: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Settings for *count* files, the same ones every time."""

    def wrap(function: Callable[..., None]) -> Callable[..., None]:
        few = settings(
            max_examples=count,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=PHASES,
        )
        return few(seed(25)(function))

    return wrap


def squeezed(value: str) -> str:
    """White space as postconf prints it."""
    return BLANKS.sub(" ", value).strip(" ")


class Oracle:
    """postconf over files of the tests' own; several looks side by side."""

    def __init__(self, postconf: Callable[..., Any], folder: Path) -> None:
        self._postconf, self._folder = postconf, folder
        self._pool = ThreadPoolExecutor(4)

    def ask(self, *questions: tuple[str, str, str]) -> list[str | None]:
        """For each (main.cf, master.cf, option) what it says; None where it refuses the files."""
        return list(self._pool.map(self._one, range(len(questions)), questions))

    def _one(self, number: int, question: tuple[str, str, str]) -> str | None:
        *texts, option = question
        folder = self._folder / str(number)
        folder.mkdir(exist_ok=True)
        for name, text in zip(("main.cf", "master.cf"), texts, strict=True):
            (folder / name).write_bytes(text.encode("utf-8", "surrogateescape"))
            os.utime(folder / name, (0, 0))  # Postfix naps before it reads a file that is seconds old
        done = self._postconf(option, "-c", str(folder))
        return None if done.returncode else done.stdout


@pytest.fixture(scope="module")
def known(postconf: Callable[..., Any]) -> tuple[str, ...]:
    """The name of every parameter of this Postfix."""
    names = [line.partition(" ")[0] for line in postconf("-d").stdout.split("\n") if line]
    return tuple(name for name in names if not ACTED_ON.fullmatch(name))


@pytest.fixture
def oracle(postconf: Callable[..., Any], tmp_path: Path) -> Oracle:
    return Oracle(postconf, tmp_path)


# ---- main.cf ---------------------------------------------------------------------------------

_word = st.one_of(st.text(LETTERS, max_size=9), st.sampled_from(EXPANSIONS))
_gap = st.sampled_from([" ", "  ", "\t", " \t", "\v", "\f", "\r", ", "])
_value = st.builds(lambda words, gap: gap.join(words), st.lists(_word, max_size=5), _gap)
_indent = st.sampled_from([" ", "\t", "    ", "\t \t", "\v", "\f", "\r", " \r"])
_comment = st.builds(lambda blank, text: f"{blank}#{text}", st.sampled_from(["", " ", "\t", "\v"]), _value)
_blank = st.sampled_from(["", " ", "\t", "\r", " \v ", "\f"])
_around = st.sampled_from(["=", " = ", " =", "= ", "\t=\t", "=  \t", " \v= "])
_end = st.sampled_from(["\n", "\n", "\n", "\r\n"])
_long = st.builds(
    lambda word, times: word * times, st.text("ab ,", min_size=1, max_size=5), st.integers(500, 3000)
)


def main_files(known: tuple[str, ...]) -> st.SearchStrategy[str]:
    # A few names again and again, so that there are duplicates; and any of all.
    name = st.one_of(st.sampled_from(known[::97]), st.sampled_from(known))
    first = st.builds(
        lambda n, around, value: n + around + value, name, _around, st.one_of(_value, _value, _value, _long)
    )
    inside = st.one_of(_comment, _blank, st.builds(lambda indent, value: indent + value, _indent, _value))
    assignment = st.builds(lambda head, rest: [head, *rest], first, st.lists(inside, max_size=4))
    apart = st.builds(lambda n, blank, value: [n, f"{blank}={value}"], name, _indent, _value)
    loose = st.lists(st.one_of(_comment, _blank), max_size=3)
    broken = st.sampled_from([["no equals sign"], ["= no name"], ["two words = x"]])
    block = st.one_of(assignment, assignment, assignment, assignment, loose, loose, apart)
    blocks = st.lists(block, max_size=7)
    lines = st.builds(
        lambda before, some, odd: [line for lines in (before, *some, odd) for line in lines],
        st.one_of(st.just([]), st.just([]), st.just([" first = indented"])),
        blocks,
        # Few of these: postconf sleeps for a second before it ends with an error.
        st.integers(0, 39).flatmap(lambda number: broken if number == 20 else st.just([])),
    )
    return st.builds(
        lambda all_lines, end, last: end.join(all_lines) + last,
        lines,
        _end,
        st.sampled_from(["\n", "\n", "", "\r\n"]),
    )


def as_we_read(cf: maincf.MainCf) -> dict[str, str]:
    return {name: squeezed(cf.get(name) or "") for name in cf.names()}


def as_postfix_reads(told: str | None, known: Iterable[str]) -> dict[str, str] | None:
    if told is None:
        return None
    pairs = (line.partition(" =") for line in told.split("\n") if line)
    return {name: squeezed(value) for name, _, value in pairs if name in known}


def apart_from(cf: maincf.MainCf, name: str) -> list[str]:
    """The lines of the file that hold nothing of *name*."""
    gone = {offset for a in cf.assignments if a.name == name for offset, _ in a.line.pieces}
    lines = [line for offset, line in logical.physical(str(cf)) if offset not in gone]
    # A last line without a newline leaves the one before it with one.
    while lines and not lines[-1]:
        lines.pop()
    return lines


def without_end(lines: list[str]) -> list[str]:
    """An edit may end a file's last line, and add its own line after it."""
    return [line.removesuffix("\r") for line in lines if line.strip("\r")]


def test_main_cf_is_read_as_postfix_reads_it_and_edited_in_its_own_lines_alone(
    oracle: Oracle, known: tuple[str, ...], pytestconfig: pytest.Config
) -> None:
    names = frozenset(known)

    @each(examples(pytestconfig, 150))
    @given(main_files(known), st.sampled_from(known), _value, st.randoms(use_true_random=False))
    def check(text: str, other: str, value: str, chance: Any) -> None:
        cf = maincf.parse(text)
        assert str(cf) == text
        present = [name for name in cf.names() if name in names]
        name = chance.choice([*present, other])
        try:
            assigned = cf.assign(name, value)
        except Refused:
            assigned = None
        removed = cf.remove(name)
        texts = [text, str(removed), str(assigned or text)]
        seen, seen_removed, seen_assigned = (
            as_postfix_reads(told, names) for told in oracle.ask(*((t, "", "-n") for t in texts))
        )
        ours = {n: v for n, v in as_we_read(cf).items() if n in names}
        if seen is None:
            assert cf.broken
            return
        assert ours == seen
        assert seen_removed == {n: v for n, v in ours.items() if n != name}
        assert apart_from(removed, name) == apart_from(cf, name)
        if assigned is not None:
            assert seen_assigned == ours | {name: squeezed(value)}
            assert without_end(apart_from(assigned, name)) == without_end(apart_from(cf, name))

    check()


# ---- master.cf -------------------------------------------------------------------------------

FIELDS = ("service", "type", "private", "unprivileged", "chroot", "wakeup", "process_limit")
_yes_no = st.sampled_from(["-", "y", "n"])
_service = st.one_of(
    st.builds(
        lambda name, kind: (name, kind),
        st.sampled_from(["smtp", "pickup", "a-b", "x.y", "dovecot", "127"]),
        st.sampled_from(["unix", "fifo", "pass"]),
    ),
    st.builds(
        lambda name: (name, "inet"),
        st.sampled_from(["smtp", "25", "127.0.0.1:smtp", "[::1]:10025", "localhost:submission"]),
    ),
)
_option_name = st.sampled_from(
    [
        "smtpd_tls_security_level",
        "syslog_name",
        "smtp_bind_address6",
        "mynetworks",
        "myhostname",
        "content_filter",
    ]
)
_plain = st.one_of(st.text("abz09,:/.@[]-_=", max_size=10), st.sampled_from(["$v1", "${x?{a}:{b}}", "$$"]))
_spaced = st.builds(
    lambda a, b: f"{a} {b}", st.text("ab09", min_size=1, max_size=4), st.text("ab=,", min_size=1, max_size=4)
)
_arguments = st.lists(
    st.sampled_from(["flags=DRhu", "user=vmail", "argv=/bin/x", "${recipient}", "{a b}", "-d", "$x", "-o", "a=b"]),
    max_size=4,
)  # fmt: skip
_separate = st.sampled_from([" ", "  ", "\t", "\r "])
_between = st.one_of(
    st.builds(lambda indent: ["", indent], st.sampled_from(["  ", "\t", "    "])),
    st.builds(lambda note, indent: ["", note, indent], _comment, st.sampled_from(["  ", "\t"])),
    st.builds(
        lambda blank, indent: ["", blank, indent],
        st.sampled_from(["", " ", "\t"]),
        st.sampled_from([" ", "\t"]),
    ),
)


@st.composite
def entries(draw: st.DrawFn) -> tuple[tuple[str, ...], list[tuple[str, str]], list[str], list[str]]:
    """(seven fields, the -o, program with flags and arguments, the lines that it is written on)."""
    name, kind = draw(_service)
    wakeup = draw(st.sampled_from(["-", "0", "60", "1000?"]))
    fields = (
        name,
        kind,
        *draw(st.tuples(_yes_no, _yes_no, _yes_no)),
        wakeup,
        draw(st.sampled_from(["-", "0", "10"])),
    )
    flags = draw(st.sampled_from([[], [], ["-v"], ["-v", "-D"]]))
    options = draw(st.lists(st.tuples(_option_name, st.one_of(_plain, _plain, _spaced)), max_size=4))
    rest = draw(_arguments) if kind == "unix" else []
    # What begins with a hyphen ends the arguments' beginning: the first one must not.
    while rest and rest[0].startswith("-"):
        rest = rest[1:]
    program = draw(st.sampled_from(["smtpd", "smtp", "pipe", "cleanup"]))
    words = [*fields, program, *flags]
    for option, value in options:
        if " " in value:
            written = [f"{{ {option} = {value} }}", f"{{{option}={value}}}"]
            words += ["-o", draw(st.sampled_from(written))]
        else:
            # Glued to the -o postconf takes every further `o` for another one, as master(8) does not.
            glued = [[f"-o{option}={value}"]] if "o" not in f"{option}{value}" else []
            words += draw(st.sampled_from([["-o", f"{option}={value}"], *glued]))
    words += rest
    lines = [words[0]]
    for count, word in enumerate(words[1:], start=1):
        if count > 6 and draw(st.integers(0, 3)) == 0:
            _, *notes, indent = draw(_between)
            lines += [*notes, indent + word]
        else:
            lines[-1] += draw(_separate) + word
    return fields, options, [program, *flags, *rest], lines


master_files = st.builds(
    lambda before, found, loose, end, last: (found, end.join([*before, *(
        line for entry, more in zip(found, loose, strict=False) for line in (*entry[3], *more))]) + last),
    st.lists(_comment, max_size=1),
    st.lists(entries(), max_size=4),
    st.lists(st.lists(st.one_of(_comment, st.just("")), max_size=2), min_size=4, max_size=4),
    st.sampled_from(["\n", "\n", "\n", "\r\n"]),
    st.sampled_from(["\n", "\n", ""]),
)  # fmt: skip


def columns(cf: MasterCf) -> list[tuple[str, ...]]:
    return [
        (s.name, s.type, s.private, s.unprivileged, s.chroot, s.wakeup, s.process_limit)
        for s in cf.services()
    ]


def overrides(cf: MasterCf) -> dict[str, str]:
    """`service/type/name` -> value; of one that stands twice in an entry the last."""
    return {f"{s.id}/{name}": squeezed(value) for s in cf.services() for name, value in s.overrides}


def told_columns(told: str) -> list[tuple[str, ...]]:
    values = [line.partition(" = ")[2] for line in told.split("\n") if line]
    rows = [values[at : at + 8] for at in range(0, len(values), 8)]
    return [tuple(row[:7]) for row in rows]


def told_overrides(told: str) -> dict[str, str]:
    pairs = (line.partition(" =") for line in told.split("\n") if line)
    return {name: squeezed(value) for name, _, value in pairs}


def test_master_cf_is_read_as_postfix_reads_it_and_edited_in_its_own_lines_alone(
    oracle: Oracle, pytestconfig: pytest.Config
) -> None:
    @each(examples(pytestconfig, 60))
    @given(master_files, _option_name, st.one_of(_plain, _spaced), st.randoms(use_true_random=False))
    def check(given_file: tuple[list[Any], str], option: str, value: str, chance: Any) -> None:
        found, text = given_file
        cf = mastercf.parse(text)
        assert str(cf) == text
        assert not cf.broken
        written = {tuple(fields[:2]): (options, words) for fields, options, words, _ in found}
        assert columns(cf) == [fields for fields, *_ in found]
        assert [s.command.split() for s in cf.services()] == [
            " ".join(words).split() for *_, words, _ in found
        ]
        fields, options = oracle.ask(("", text, "-F"), ("", text, "-P"))
        assert fields is not None, "postconf refuses what we read without complaint"
        assert options is not None
        assert told_columns(fields) == columns(cf)
        if len(written) < len(found):
            return  # of two entries with one name postconf -P tells the options of both under it
        assert told_overrides(options) == overrides(cf)
        if not found:
            return
        service = "/".join(chance.choice(sorted(written)))
        before = overrides(cf)
        try:
            assigned = cf.assign_override(service, option, value)
        except Refused:
            assigned = cf
        else:
            before[f"{service}/{option}"] = squeezed(value)
        taken_out = cf.assign_override(service, option, None)
        removed = cf.remove_service(service)
        told = oracle.ask(
            ("", str(assigned), "-P"), ("", str(assigned), "-F"), ("", str(taken_out), "-P"),
            ("", str(removed), "-P"), ("", str(removed), "-F"),
        )  # fmt: skip
        assert told_overrides(told[0] or "") == before
        assert told_columns(told[1] or "") == columns(cf)
        assert told_overrides(told[2] or "") == {
            n: v for n, v in overrides(cf).items() if n != f"{service}/{option}"
        }
        assert told_overrides(told[3] or "") == {
            n: v for n, v in overrides(cf).items() if not n.startswith(f"{service}/")
        }
        assert told_columns(told[4] or "") == [row for row in columns(cf) if "/".join(row[:2]) != service]
        comments = [line for line in text.split("\n") if line.lstrip(logical.SPACE).startswith("#")]
        for edited in (assigned, taken_out, removed):
            lines = str(edited).split("\n")
            assert [line for line in lines if line.lstrip(logical.SPACE).startswith("#")] == comments

    check()
