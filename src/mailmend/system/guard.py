"""Whatever becomes of the program that makes a change, somebody outside it takes the change back.

For as long as a change is neither kept nor taken back, *state*/trial holds a plain-sh undo.sh, for where not even
Python runs; a detached process waits for the end of the change; and where systemd runs, a unit runs undo.sh
before Postfix at the next boot. When the change is settled, all three go.
"""

from __future__ import annotations

import hashlib
import shlex
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mailmend.model import FileEdit, Record
from mailmend.places import trial
from mailmend.system import beside, detached
from mailmend.system.durable import sync, write
from mailmend.system.holder import Process

UNIT = "mailmend-undo.service"
UNITS = Path("/etc/systemd/system")
PATIENCE = 180  # seconds that a change may take at most before sh alone takes it back
_LOCKED = 30  # seconds that undo.sh waits for the lock
_GONE = "-"


@dataclass(frozen=True, slots=True)
class Guard:
    """*stop*, *start*, *reload* are the commands that activate Postfix on this host, for undo.sh; *unit* is what
    systemd starts it by.

    *launch* starts the process that waits outside, as `detached.start` does.
    """

    state: Path
    stop: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    reload: tuple[str, ...] = ()
    unit: str | None = None
    launch: Callable[[str, tuple[str, ...]], None] = field(default=detached.start, repr=False)

    @property
    def folder(self) -> Path:
        return trial(self.state)

    @property
    def script(self) -> Path:
        return self.folder / "undo.sh"

    def guarded(self) -> str | None:
        """The id of the change that is not settled yet, None where there is none. OSError where it is unreadable."""
        words = self._named()
        return words[0] if words else None

    def maker(self) -> Process | None:
        """The program that began the change that is not settled, or put it on trial; None where nobody knows."""
        words = self._named()
        return Process.read(words[1]) if len(words) > 1 else None

    def _named(self) -> list[str]:
        try:
            return (self.folder / "id").read_text("ascii").split()
        except FileNotFoundError:
            return []

    def arm(self, record: Record) -> None:
        """Make ready to take *record* back. It is on the disk when this returns; OSError where it cannot be."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync(self.state)
        # First the name: where one takes the place of another, its script works until the new one is there.
        write(self.folder / "id", f"{record.id} {Process.here()}\n", 0o600)
        write(self.script, undo_script(record, self), 0o700)
        if detached.SYSTEMD.is_dir():
            self._install(record)
        self.launch(f"mailmend-guard-{record.id}", ("/bin/sh", str(self.script), "guard"))

    @property
    def went_back(self) -> Path:
        """There once undo.sh has put a file back: Postfix may have read the new one, and run on it still.

        It holds the process id of the undo.sh that did.
        """
        return self.folder / "went-back"

    def sh_is_at_it(self) -> bool:
        """Whether an undo.sh is going back right now: two that start Postfix are in each other's way."""
        try:
            pid = int(self.went_back.read_text("ascii"))
            return b"undo.sh" in Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return False

    def disarm(self) -> None:
        """The change is settled: nothing waits for it any more."""
        if detached.SYSTEMD.is_dir():
            for path in (UNITS / "multi-user.target.wants" / UNIT, UNITS / UNIT, UNITS / f"{UNIT}.new"):
                path.unlink(missing_ok=True)
            _reload_systemd()
        # Last: while the folder is there, the next command looks after what else is left.
        with suppress(FileNotFoundError):
            shutil.rmtree(self.folder)
            sync(self.state)

    def _install(self, record: Record) -> None:
        wants = UNITS / "multi-user.target.wants"
        wants.mkdir(mode=0o755, parents=True, exist_ok=True)
        others = beside.units(edit.path for edit in record.files)
        write(UNITS / UNIT, boot_unit(self.script, self.unit, others), 0o644)
        link = wants / UNIT
        with suppress(FileExistsError):
            link.symlink_to(UNITS / UNIT)
        sync(wants)
        _reload_systemd()


def boot_unit(script: Path, unit: str | None = None, also: tuple[str, ...] = ()) -> str:
    """The unit that takes back, before Postfix starts (by *unit* here), what nobody confirmed (systemd.unit(5)).

    *also* are the units of other daemons whose files go back.
    """
    others = dict.fromkeys(("postfix.service", "postfix@-.service", *([unit] if unit else ()), *also))
    return f"""\
[Unit]
Description=Take back mailmend's unconfirmed change before Postfix starts
After=local-fs.target
Before={" ".join(others)}
ConditionPathExists={script}

[Service]
Type=oneshot
ExecStart=/bin/sh {script} boot

[Install]
WantedBy=multi-user.target
"""


def undo_script(record: Record, guard: Guard) -> str:
    """undo.sh for *record*: POSIX sh and coreutils, idempotent, touching nothing that others edited since.

    With flock(1) (util-linux) it is alone with that, as `transaction.alone` is; without one, two that begin in the
    same instant both put the same files back, and Postfix may be restarted twice.
    """
    files = [_arguments(edit) for edit in record.files]
    back = record.activation in ("reload", "restart") and record.ran
    restart = record.activation == "restart"
    others = beside.commands(edit.path for edit in record.files)
    commands = (*others, *(((guard.stop, guard.start) if restart else (guard.reload,)) if back else ()))
    python = detached.mailmend("recover", "--guard", record.id, "--state", str(guard.state))
    return _SCRIPT.format(
        id=record.id,
        history=shlex.quote(str(guard.state / "history" / f"{record.id}.json")),
        went_back=shlex.quote(str(guard.went_back)),
        checks="\n".join(f"    either {line}" for line in files),
        # The last file that was swapped goes back first.
        backs="\n".join(f"    back {line}" for line in reversed(files)),
        activate="\n".join(f"    {shlex.join(c)}" for c in commands if c) or "    :",
        python=shlex.join(python),
        patience=PATIENCE,
        lock=shlex.quote(str(guard.state / "lock")),
        wait=_LOCKED,
    )


def _arguments(edit: FileEdit) -> str:
    return shlex.join((str(Path(edit.path).resolve()), _sum(edit.before), _sum(edit.after)))


def _sum(text: str | None) -> str:
    return _GONE if text is None else hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _reload_systemd() -> None:
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            ("systemctl", "daemon-reload"),
            env=detached.ENVIRONMENT,
            capture_output=True,
            timeout=30,
            check=False,
        )


_SCRIPT = """\
#!/bin/sh
# Takes back mailmend's change {id}, which was neither kept nor taken back.
#   sh undo.sh         now: the files, then Postfix
#   sh undo.sh boot    the files alone, before Postfix starts
#   sh undo.sh guard   waits for the change to end, and takes it back where it does not
# A file that others edited since is left as it is (exit status 4).
set -u
umask 077
PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
export PATH LC_ALL

open_change() {{
    [ -e {history} ] || return 1
    grep -q '^ "state": "\\(intent\\|trial\\)"' {history}
    case $? in 0) return 0 ;; 1) return 1 ;; esac
    exit 4
}}

# On trial, the deadline in seconds of CLOCK_BOOTTIME stands in the entry; before that, patience ends it.
late() {{
    until=$(sed -n 's/^  "seconds": \\([0-9]*\\).*/\\1/p' {history})
    [ -n "$until" ] || {{ [ "$waited" -ge {patience} ]; return; }}
    [ "$(cut -d . -f 1 /proc/uptime)" -gt "$until" ]
}}

sum_of() {{
    if [ -e "$1" ]; then sha256sum <"$1" | cut -d ' ' -f 1; else echo -; fi
}}

either() {{
    case $(sum_of "$1") in
    "$2" | "$3") ;;
    *)
        echo "CONFLICT: $1 was changed since by others; nothing was touched" >&2
        exit 4
        ;;
    esac
}}

back() {{
    [ "$(sum_of "$1")" = "$2" ] && return
    echo $$ >{went_back} && sync
    if [ "$2" = - ]; then
        mv -f "$1" "$1.mailmend-old" && return
    fi
    for spare in "$1.mailmend-old" "$1.mailmend-new"; do
        [ "$(sum_of "$spare")" = "$2" ] && mv -f "$spare" "$1" && return
    done
    echo "$1 could not be put back: its old text is in {history}" >&2
    exit 4
}}

files() {{
{checks}
{backs}
    sync
}}

activate() {{
{activate}
}}

# No mailmend is at work meanwhile, nor another undo.sh: flock(1), where there is one, takes the lock that it takes.
# Who holds it for longer hangs, and keeps nobody from going back.
alone() {{
    [ -r {lock} ] && command -v flock >/dev/null || return 0
    exec 9<{lock}
    flock -w {wait} 9 || echo "a mailmend that hangs is not waited for any longer" >&2
}}

case ${{1-now}} in
guard)
    {python} >/dev/null 2>&1
    case $? in 0 | 4) exit 0 ;; esac
    waited=0
    while open_change && ! late; do
        sleep 1
        waited=$((waited + 1))
    done
    ;;
esac
alone
open_change || exit 0
files
case ${{1-now}} in boot) exit 0 ;; esac
# What it starts must not hold the lock for as long as it runs.
if [ -e {went_back} ]; then activate 9>&- && rm -f {went_back}; fi
"""
