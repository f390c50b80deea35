"""Runs inside the relay: each change of a JSON list on standard input -> what `validate_candidate` says of it.

A line of JSON for each: id, says ("" where it may be made), unseen, seconds, and what was there before and after.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from typing import Any

from mailmend.jobs.here import here
from mailmend.jobs.validate import validate_candidate
from mailmend.model import FileEdit, MailmendError
from mailmend.parse import maincf, mastercf
from mailmend.questions import Greeting, Listeners, Master
from mailmend.system.live import live

MAIN, MASTER = Path("/etc/postfix/main.cf"), Path("/etc/postfix/master.cf")
COLUMNS = ("private", "unprivileged", "chroot", "wakeup", "process_limit", "command")


def edits(change: dict[str, Any]) -> tuple[FileEdit, ...]:
    """The files as *change* would leave them (tests/worlds/harmful_changes.toml says how it is written)."""
    main, master = MAIN.read_text(), MASTER.read_text()
    before = {MAIN: main, MASTER: master}
    for typed in change.get("set", []):
        target, _, value = typed.partition("=")
        service, _, name = target.rpartition("/")
        if not service:
            main = str(maincf.parse(main).assign(name, value))
        elif name in COLUMNS:
            master = str(mastercf.parse(master).assign_column(service, name, value))
        else:
            master = str(mastercf.parse(master).assign_override(service, name, value))
    main += change.get("main", "")
    for old, new in change.get("master", []):
        changed = re.sub(old, new, master, count=1, flags=re.MULTILINE) if old else master + new
        assert changed != master, f"{old} is not in master.cf"
        master = changed
    after = {MAIN: main, MASTER: master}
    out = [FileEdit(str(path), before[path], after[path]) for path in after if after[path] != before[path]]
    out += [FileEdit(path, None, text) for path, text in change.get("files", {}).items()]
    return tuple(out)


def state() -> dict[str, Any]:
    """What a change that is only tried must leave as it is."""
    probe = live()
    master = probe.ask(Master()).answer
    queue = Path("/var/spool/postfix")
    queued = [
        str(f) for name in ("maildrop", "incoming", "active", "deferred") for f in (queue / name).rglob("*")
    ]
    return {
        "greeting": (probe.ask(Greeting("127.0.0.1", 25)).answer or "")[:3],
        "listeners": [(s.address, s.port) for s in probe.ask(Listeners()).answer or ()],
        "master": master.pid if master else None,
        "qmgr": str(master.reloaded) if master else None,
        "main.cf": MAIN.read_text(),
        "master.cf": MASTER.read_text(),
        "etc": sorted(path.name for path in Path("/etc/postfix").iterdir()),
        "queued": sorted(queued),
        "left": sorted(
            str(path) for root in ("/var/lib/mailmend", "/run/mailmend") for path in Path(root).rglob("*")
        ),
        "canaries": sum(b"/canary/" in each for each in environments()),
    }


def environments() -> list[bytes]:
    """The environments of all processes."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            found.append((process / "environ").read_bytes())
        except OSError:
            continue
    return found


def main() -> None:
    for change in json.load(sys.stdin):
        before, start, unseen, says = state(), time.monotonic(), "", ""
        try:
            unseen = validate_candidate(here(), edits(change))
        except MailmendError as refusal:
            says = str(refusal)
        seconds = time.monotonic() - start
        told = {"id": change["id"], "says": says, "unseen": unseen, "seconds": round(seconds, 2)}
        print(json.dumps(told | {"before": before, "after": state()}), flush=True)


if __name__ == "__main__":
    main()
