"""How well and how fast recipients are found in bounces, side by side with two others that do so.

    python bench/inputs.py CORPUS [--flufl PYTHON]

CORPUS is a folder with `dsn.jsonl` (`file`, `kind`, `expected.recipients[].recipient`, `expected.n_recipients`,
`machine.recipients[].recipient`) and the files it names. PYTHON is an interpreter that has flufl.bounce (PyPI);
sisimai is measured where perl has it (Debian: libsisimai-perl). Each reads the same bytes on one core, its start is
not counted. Prints recall and precision where addresses are stated, counts elsewhere, messages a second.
Exit status 1 where mailmend is below recall .97, precision .97 or 1,500 messages a second.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mailmend.model import ParseError
from mailmend.parse import paste

LEAST, FASTEST = 0.97, 1500
FLUFL = """
import email, json, sys, time
from flufl.bounce import all_failures
names = json.load(sys.stdin)
messages = [open(name, 'rb').read() for name in names]
found, begun = {}, time.process_time()
for name, data in zip(names, messages):
    try:
        temporary, permanent = all_failures(email.message_from_bytes(data))
        found[name] = [a.decode('utf-8', 'replace') for a in sorted(temporary | permanent)]
    except Exception:
        found[name] = None
print(json.dumps([found, time.process_time() - begun]))
"""
SISIMAI = r"""
use strict; use warnings; use JSON::PP; use Sisimai; use Time::HiRes qw(clock);
local $/; my $names = decode_json(<STDIN>); my %found; my %bytes;
for (@$names) { open(my $h, '<', $_) or die; $bytes{$_} = <$h>; close $h }
my $begun = clock();
for my $name (@$names) {
    my $told = eval {
        local $SIG{__WARN__} = sub {}; Sisimai->make(\$bytes{$name}, 'delivered' => 1) || [] };
    $found{$name} = defined $told ? [map { $_->recipient->address } @$told] : $@ ? undef : [];
}
print encode_json([\%found, clock() - $begun]);
"""

Found = dict[str, "list[str | None] | None"]


def ours(names: list[str]) -> tuple[Found, float]:
    messages = [Path(name).read_bytes() for name in names]
    found: Found = {}
    begun = time.process_time()
    for name, data in zip(names, messages, strict=True):
        try:
            found[name] = [d.recipient for d in paste.deliveries(data)]
        except ParseError:
            found[name] = None
    return found, time.process_time() - begun


def other(command: list[str], names: list[str]) -> tuple[Found, float] | str:
    """What another one finds, or why it cannot be asked."""
    try:
        done = subprocess.run(command, input=json.dumps(names), capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["it failed"])[-1]
    found, took = json.loads(done.stdout)
    return found, took


def addresses(row: dict[str, Any]) -> set[str]:
    expected = (row["expected"] or {}).get("recipients") or []
    for recipients in (expected, row["machine"]["recipients"]):
        names = {one["recipient"].lower() for one in recipients if one.get("recipient")}
        if names:
            return names
    return set()


def measured(
    rows: list[dict[str, Any]], folder: Path, found: Found, took: float
) -> tuple[float, float, float, str]:
    both = told = got = right = counted = wrong = failed = 0
    for row in rows:
        answer = found[str(folder / row["file"])]
        failed += answer is None
        names = {name.lower() for name in answer or [] if name}
        known = addresses(row)
        if known:
            both, told, got = both + len(known & names), told + len(known), got + len(names)
        elif row["kind"] == "not_bounce":
            wrong += bool(answer)
        elif row["expected"]:
            counted += 1
            right += len(set(answer or [])) == row["expected"].get("n_recipients")
    recall, precision, speed = both / told, both / max(got, 1), len(rows) / took
    line = f"{recall:8.1%} {precision:10.1%} {right:7}/{counted} {wrong:7} {failed:8} {speed:12,.0f}"
    return recall, precision, speed, line


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--flufl", metavar="PYTHON", default=sys.executable)
    asked = parser.parse_args()
    rows = [json.loads(line) for line in (asked.corpus / "dsn.jsonl").read_text().splitlines()]
    names = [str(asked.corpus / row["file"]) for row in rows]
    print(f"{len(rows)} messages, {sum(bool(addresses(row)) for row in rows)} with addresses stated")
    print(
        f"{'':14}{'recall':>8} {'precision':>10} {'counts':>11} {'false':>7} {'failures':>8} {'messages/s':>12}"
    )
    recall, precision, speed, line = measured(rows, asked.corpus, *ours(names))
    print(f"{'mailmend':14}{line}")
    for name, command in {
        "flufl.bounce": [asked.flufl, "-c", FLUFL],
        "sisimai": ["perl", "-e", SISIMAI],
    }.items():
        answer = other(command, names)
        told = answer if isinstance(answer, str) else measured(rows, asked.corpus, *answer)[3]
        print(f"{name:14}{told}")
    return 0 if recall >= LEAST and precision >= LEAST and speed >= FASTEST else 1


if __name__ == "__main__":
    sys.exit(main())
