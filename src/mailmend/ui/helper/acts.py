"""What is carried out, one at a time: a process of its own for each, and a journal that outlives it and the helper.

A journal is a file of JSON lines below *state*/console: what was begun, each line of the process, its end. The process
holds a flock(2) on it, so who looks knows whether it still runs; a helper that was started anew finds it all.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from mailmend.model import MailmendError, Record, Refused
from mailmend.system import detached
from mailmend.system.history import History
from mailmend.system.probe import now
from mailmend.ui.helper import working
from mailmend.ui.show import Shape, document

KEPT = 5  # journals of what is over
PATIENCE = 900.0  # seconds; what takes longer hangs: it is killed, and its guard takes back what it began
_POLL = 0.1
_TRIES = 20
_PART = 1 << 20


@dataclass(frozen=True, slots=True)
class Acts:
    """*state* as everywhere. For several threads."""

    state: Path
    patience: float = PATIENCE
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def folder(self) -> Path:
        return self.state / "console"

    def begin(self, job: working.Act | working.Confirm, what: str) -> Path:
        """The journal of *job*, which has begun. Refused where another is under way, or it cannot be begun."""
        with self._lock:
            self.require_none()
            try:
                return self._begun(job, what)
            except OSError as failure:
                raise Refused(f"nothing can be begun: {failure.strerror or failure}", "") from None

    def require_none(self) -> None:
        """Refused where something is under way."""
        for _ in range(_TRIES):
            journal = self.under_way()
            if journal is None:
                return
            if (told := _told(journal, ())) is not None and told["ended"] is None:
                break
            time.sleep(_POLL)  # it has said its last word, and is about to go
        raise Refused("another change is under way", "wait for its end: status tells it")

    def _begun(self, job: working.Act | working.Confirm, what: str) -> Path:
        at = now().astimezone(UTC)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        journals = self._journals()
        for old in journals[KEPT - 1 :]:
            old.unlink(missing_ok=True)
        act = {
            "id": f"{_number(journals[0]) + 1 if journals else 1:08}-{secrets.token_hex(2)}",
            "what": what,
            "digest": job.digest if isinstance(job, working.Act) else None,
            "by": job.by,
            "began": at.isoformat(),
        }
        journal = self.folder / f"{act['id']}.jsonl"
        fd = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            # Of the open file, so it goes on in the process that inherits it, and ends with that.
            fcntl.flock(fd, fcntl.LOCK_EX)
            os.write(fd, json.dumps(act).encode() + b"\n")
            process = start(job, fd)
        except BaseException:
            journal.unlink(missing_ok=True)
            raise
        finally:
            os.close(fd)
        threading.Thread(target=self._ended, args=(process,), daemon=True).start()
        return journal

    def _ended(self, process: subprocess.Popen[bytes]) -> None:
        """Bury it; kill it where it hangs."""
        try:
            process.wait(self.patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def under_way(self) -> Path | None:
        """The journal of what goes on now."""
        return next((journal for journal in self._journals() if _runs(journal)), None)

    def lines(self, journal: Path) -> Iterator[bytes]:
        """Each line of the process, from the first, as it comes; b"" where none came for a second. It ends with it."""
        quiet = 0.0
        with journal.open("rb") as read:
            read.readline()  # what was begun
            rest = b""
            while True:
                runs = _runs(journal)  # asked first: what was written before it ended is read all the same
                while part := read.read(_PART):
                    quiet = 0.0
                    *whole, rest = (rest + part).split(b"\n")
                    yield from (line + b"\n" for line in whole)
                if not runs:
                    return
                time.sleep(_POLL)
                quiet += _POLL
                if quiet >= 1.0:
                    quiet = 0.0
                    yield b""

    def status(self) -> Shape:
        """acts/1 (client.Helper.status)."""
        records: tuple[Record, ...] = ()
        with suppress(MailmendError):
            records = History(self.state).records()
        seen = [told for journal in self._journals()[: KEPT + 1] if (told := _told(journal, records))]
        return document(
            "acts",
            {
                "under_way": next((act for act in seen if act["ended"] is None), None),
                "last": [act for act in seen if act["ended"] is not None][:KEPT],
            },
        )

    def _journals(self) -> list[Path]:
        """The newest first."""
        return sorted(self.folder.glob("*.jsonl"), reverse=True)


def _number(journal: Path) -> int:
    """They are counted, not dated: the newest is the newest where the clock was set back, too."""
    with suppress(ValueError):
        return int(journal.name.partition("-")[0])
    return 0


def start(job: working.AnyJob, out: int) -> subprocess.Popen[bytes]:
    """A process of its own at *job*, its lines on *out*. OSError where it cannot be started."""
    process = subprocess.Popen(
        detached.mailmend("helper", "--work"),
        stdin=subprocess.PIPE,
        stdout=out,
        env=detached.ENVIRONMENT,
        cwd="/",
        start_new_session=True,
    )
    assert process.stdin is not None  # noqa: S101  (asked for above)
    with suppress(BrokenPipeError), process.stdin as given:
        given.write(msgspec.json.encode(job))
    return process


def _runs(journal: Path) -> bool:
    """Whether the process of *journal* is there: it holds a lock on it."""
    try:
        fd = os.open(journal, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _told(journal: Path, records: tuple[Record, ...]) -> dict[str, Any] | None:
    """One act as `status` tells it; None for a journal that is gone, or was never begun."""
    runs = _runs(journal)
    try:
        begun, *lines = [json.loads(line) for line in journal.read_bytes().split(b"\n")[:-1]]
    except (OSError, ValueError):
        return None
    last = lines[-1] if lines else {}
    ended = "done" if "done" in last else "refused" if "error" in last else None if runs else "interrupted"
    return {
        **begun,
        "lines": [line for line in lines if "kind" in line],
        "ended": ended,
        "document": last.get("done"),
        "error": last.get("error"),
        "change": _change(begun, records),
    }


def _change(begun: dict[str, Any], records: tuple[Record, ...]) -> Shape | None:
    """The history's entry that it made: one act runs at a time, so the first such of its session since it began."""
    since = datetime.fromisoformat(begun["began"])
    back = begun["what"] in ("undo", "hold-off")
    found = next(
        (
            r
            for r in reversed(records)
            if r.by == begun["by"]
            and r.at >= since
            and (r.undoes is not None if back else r.digest == begun["digest"])
        ),
        None,
    )
    return {"id": found.id, "state": found.state, "note": found.note or None} if found else None
