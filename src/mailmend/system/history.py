"""Every change of mailmend as one file below /var/lib/mailmend/history, readable by root alone."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from mailmend.model import CannotLook, Expectation, Record, Refused
from mailmend.system.durable import sync, write
from mailmend.system.probe import now

_ID = re.compile(r"\d{8}-\d{6}-[a-z0-9-]+\Z")
_WATCHED = "dns-records"


def is_watch(record: Record) -> bool:
    """Whether *record* is an entry of `History.watch`: nothing was changed, something is waited for."""
    return not record.files and record.undoes is None and record.remedy == _WATCHED


class Unreadable(CannotLook):
    """An entry is there and cannot be read, now or by us; a damaged one never will be."""


@dataclass(frozen=True, slots=True)
class History:
    """The entries below *state*/history, one JSON file each (0600 in a folder 0700), named by their id."""

    state: Path

    @property
    def folder(self) -> Path:
        return self.state / "history"

    def new_id(self, at: datetime, word: str) -> str:
        """An id that no entry has yet: `20261122-130501-ipv4-for-receiver`, in the time zone of *at*."""
        word = re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-") or "change"
        first = f"{at:%Y%m%d-%H%M%S}-{word}"
        number, chosen = 1, first
        while self._seen(self._path(chosen)):
            number += 1
            chosen = f"{first}-{number}"
        return chosen

    def add(self, record: Record) -> None:
        """Write a new entry; it is on the disk when this returns. OSError where it cannot be."""
        if self._path(record.id).exists():
            raise Refused(f"the history has an entry {record.id} already")
        if not self.folder.is_dir():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync(self.state)
        self._write(record)

    def replace(self, record: Record) -> None:
        """Write an entry anew, the old one being there until the new one is whole."""
        self._write(record)

    def remove(self, record_id: str) -> None:
        """Forget an entry: an intent that came to nothing."""
        self._path(record_id).unlink(missing_ok=True)
        sync(self.folder)

    def has(self, record_id: str) -> bool:
        """Whether there is such an entry, readable or not. CannotLook where even that cannot be seen."""
        return self._seen(self._path(record_id))

    def get(self, record_id: str) -> Record:
        """The entry with this id. Refused where there is none, CannotLook where it is damaged."""
        if not _ID.match(record_id) or not self._seen(self._path(record_id)):
            raise Refused(f"the history has no entry {record_id}", "mailmend history lists them")
        return _read(self._path(record_id))

    def records(self) -> tuple[Record, ...]:
        """All entries that can be read, newest first; `damaged()` names the others."""
        return self._sorted()[0]

    def damaged(self) -> tuple[str, ...]:
        """One line for every entry that cannot be read."""
        return self._sorted()[1]

    def interrupted(self) -> Record | None:
        """A change that was begun and neither kept nor taken back: mailmend or the machine died in it.

        CannotLook where an entry cannot be read just now: it may be that one.
        """
        return next((record for record in self._sorted(strict=True)[0] if record.state == "intent"), None)

    def on_trial(self) -> Record | None:
        """The change that is proven and waits for its confirmation. CannotLook as `interrupted`."""
        return next((record for record in self._sorted(strict=True)[0] if record.state == "trial"), None)

    def in_force(self) -> tuple[Record, ...]:
        """The changes to Postfix that were kept, or are on trial, and not taken back, newest first.

        What promised nothing of Postfix (Webmin's button, records that are only watched) is none of them.
        """
        kept = (r for r in self.records() if r.state in ("kept", "trial") and r.undoes is None)
        return tuple(r for r in kept if r.files and r.expectations)

    def watched(self) -> tuple[Record, ...]:
        """The entries of `watch` that were not ended yet, newest first."""
        return tuple(r for r in self.records() if r.state == "kept" and is_watch(r))

    def watch(self, expectations: tuple[Expectation, ...], by: str, reason: str) -> Record:
        """Keep *expectations*, which others have to fulfil, for `status` to look at until the entry is undone.

        No file changes, so it is no change in force. What is watched already is not written twice.
        """
        if known := next((r for r in self.watched() if r.pending == expectations), None):
            return known
        at = now()
        record = Record(
            id=self.new_id(at, _WATCHED),
            at=at,
            by=by,
            remedy=_WATCHED,
            reason=reason,
            state="kept",
            files=(),
            activation="none",
            diff="",
            digest="",
            pending=expectations,
        )
        self.add(record)
        return record

    def _sorted(self, strict: bool = False) -> tuple[tuple[Record, ...], tuple[str, ...]]:
        good: list[Record] = []
        bad: list[str] = []
        try:
            paths = sorted(path for path in self.folder.iterdir() if path.suffix == ".json")
        except FileNotFoundError:
            return (), ()
        except OSError as error:
            raise CannotLook(f"{self.folder}: {error.strerror}", "run it as root") from None
        for path in paths:
            try:
                good.append(_read(path))
            except CannotLook as damage:
                if strict and isinstance(damage, Unreadable):
                    raise
                bad.append(str(damage))
        return tuple(sorted(good, key=lambda record: (record.at, record.id), reverse=True)), tuple(bad)

    def _seen(self, path: Path) -> bool:
        try:
            return path.exists()
        except OSError as error:
            raise CannotLook(f"{self.folder}: {error.strerror}", "run it as root") from None

    def _path(self, record_id: str) -> Path:
        return self.folder / f"{record_id}.json"

    def _write(self, record: Record) -> None:
        import msgspec

        # The looks behind a proof fill pages; its verdicts and sentences are what is kept.
        if record.proof is not None:
            judgements = tuple(replace(j, evidence=()) for j in record.proof.judgements)
            record = replace(record, proof=replace(record.proof, judgements=judgements))
        # json, not msgspec, writes: a text with bytes that are no UTF-8 is carried as \udcxx.
        text = json.dumps(msgspec.to_builtins(record), indent=1) + "\n"
        write(self._path(record.id), text, 0o600)


def way_out(record: Record) -> str:
    """The command that takes an interrupted change back; an undo that was interrupted is finished by it."""
    return f"mailmend undo {record.undoes or record.id}"


def interruption(record: Record) -> str:
    """An interrupted change in words."""
    return (
        f"the undo of {record.undoes} was interrupted"
        if record.undoes
        else f"the change {record.id} was interrupted"
    )


def _read(path: Path) -> Record:
    import msgspec

    try:
        return msgspec.convert(json.loads(path.read_text("ascii")), Record)
    except (ValueError, msgspec.ValidationError) as error:
        raise CannotLook(f"the history's {path.name} is damaged: {error}") from None
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}", "run it as root") from None
