"""ingest: what is new in the log -> the delivery store, each line once, whatever happens to the files or to us."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from mailmend.jobs.here import Here
from mailmend.jobs.ingest_batch import Cut, Gather
from mailmend.jobs.ingest_beside import Gone
from mailmend.model import CannotLook, MailmendError, ParseError
from mailmend.places import deliveries
from mailmend.system import follow as logs
from mailmend.system import logfiles
from mailmend.system.store import identity, journal, retention
from mailmend.system.store.identity import Reading
from mailmend.system.store.queries import Standing
from mailmend.system.store.sqlite import Store
from mailmend.system.store.write import Batch, Position, Writer, position

COMMIT = 32 << 20  # bytes of the log that are kept at a time
WARM = 8 << 20  # bytes before the place where it was left, that tell the senders of mail under way
BESIDE = 32 << 20  # bytes of a log that a process beside is worth its start for
_PACKED = 10  # bytes of a log in one of its packed file, about
POLL = 1.0  # seconds: what is waited for when told to stop, at most
JOURNAL_POLL = 5.0  # each asks journalctl(1), which looks through its files
_SETTLED = 60.0  # seconds after which a packed file that cannot be read is broken, and not being written
_WAIT = 30.0  # seconds until a full disk is tried again, at most
_ANEW = 10  # times that a folder is listed anew because files were renamed meanwhile
_EVERY = 3600.0  # seconds between two looks for what is too old to be kept

Step = Callable[[int, int], None]


@dataclass(slots=True)
class Taken:
    """What was new: *failed* of the *deliveries* did not go through. *waiting*: lines without their end.

    *errors*: what could not be read, and why.
    """

    files: int = 0
    lines: int = 0
    unparsed: int = 0
    deliveries: int = 0
    failed: int = 0
    waiting: int = 0
    errors: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.lines)


def folder(here: Here | None = None) -> Path:
    """Where the store of this host is."""
    return deliveries(here.state) if here else deliveries()


def standing(here: Here) -> Standing:
    """What the store holds. CannotLook: there is none."""
    return Store(folder(here)).standing()


def ingest(
    files: Sequence[Path],
    here: Here,
    *,
    keep: int | None = None,
    processes: int = 1,
    progress: Step | None = None,
) -> Taken:
    """Take in what is new in *files*, or else in this host's log with its rotated parts.

    *keep*: for how many days failures are kept whole from now on (0: for ever). With two or more *processes* much
    is read by one beside this, which alone writes. *progress* is told with the bytes read, of how many.
    CannotLook, ParseError: one of the files given cannot be read to its end; what was before that is kept.
    Refused: the store cannot be written to.
    """
    for path in files:
        identity.require_log(path)
    place = None if files else here.log()
    with _writing(here, keep) as writer:
        intake = _Intake(writer, strict=bool(files), processes=processes)
        try:
            _once(intake, files, place, progress)
        finally:
            intake.forget()
    return intake.taken


def _once(intake: _Intake, files: Sequence[Path], place: logs.Place | None, progress: Step | None) -> None:
    if place and place.path is None:
        intake.journal()
    else:
        intake.progress = progress
        intake.every(sorted(files, key=_written) if files else _rotated(place))
        if not files:
            intake.renamed(lambda: _rotated(place))
    intake.tidy()
    if intake.taken.errors:
        intake.writer.trouble(intake.taken.errors[-1])
        if files:
            raise intake.failure or CannotLook(intake.taken.errors[0])
    elif not files:
        intake.writer.trouble(None)


def follow(
    files: Sequence[Path],
    here: Here,
    *,
    keep: int | None = None,
    told: Callable[[Taken], None],
    trouble: Callable[[str], None],
    stopped: Callable[[], bool],
) -> None:
    """Take in what comes, until *stopped*. *told* with what was new, *trouble* once with what goes wrong.

    A full disk or a missing log is waited out. Refused: the store cannot be written to at all.
    """
    place = None if files else here.log()
    with _writing(here, keep) as writer:
        intake = _Intake(writer, stopped)
        said, wait, tidied = "", POLL, 0.0
        while not stopped():
            intake.taken = Taken()
            error = ""
            try:
                if place and place.path is None:
                    intake.journal()
                else:
                    for path in files or _rotated(place):
                        intake.file(path)
                if time.monotonic() - tidied > _EVERY or not tidied:
                    intake.tidy()
                    tidied = time.monotonic()
                error = intake.taken.errors[0] if intake.taken.errors else ""
                if error != said:
                    writer.trouble(error or None)
                wait = JOURNAL_POLL if place and place.path is None else POLL
            except MailmendError as failure:
                intake.forget()
                error = str(failure)
                wait = min(_WAIT, max(2 * wait, 1.0))
            if error and error != said:
                trouble(error)
            said = error
            if intake.taken:
                told(intake.taken)
            _sleep(wait, stopped)


@contextmanager
def _writing(here: Here, keep: int | None) -> Iterator[Writer]:
    writer = Writer(folder(here))
    collecting = gc.isenabled()
    gc.disable()  # many small objects and no cycles
    try:
        if keep is not None:
            writer.keep(keep)
        yield writer
    finally:
        if collecting:
            gc.enable()
        writer.close()


class _Intake:
    """One writer, and what it learned of the logs so far. *stopped* ends it between two transactions.

    *strict*: a log in which nothing is Postfix's is none. *failure* is the first of the *taken* errors.
    """

    def __init__(
        self,
        writer: Writer,
        stopped: Callable[[], bool] = lambda: False,
        *,
        strict: bool = False,
        processes: int = 1,
    ) -> None:
        self.writer = writer
        self.processes = processes
        self.stopped = stopped
        self.strict = strict
        self.failure: MailmendError | None = None
        self.taken = Taken()
        self.progress: Step | None = None
        self.done = self.total = 0
        self._gather: Gather | None = None
        self._unpacked = self.writer.finished()  # how packed files looked of which all was taken in
        self._looks: dict[tuple[int, int], str] = {}  # and how each file did that was read now
        self._before = b""  # the end of what was read by somebody else, as far as it was looked at
        self._opened: set[tuple[int, int]] = set()  # files that were read, whatever they were called

    @property
    def gather(self) -> Gather:
        if self._gather is None:
            self._gather = Gather(self.writer.put_off())
        return self._gather

    def forget(self) -> None:
        """Begin anew with what was read and not kept."""
        if self._gather:
            self._gather.close()
        self._gather = None
        self._looks = {}

    def tidy(self) -> None:
        retention.apply(self.writer, self.stopped)

    def every(self, paths: Sequence[Path]) -> None:
        """Take in what is new in *paths*, in that order, telling the progress."""
        self.total = sum(map(_size, paths))
        for path in paths:
            self.file(path)

    def renamed(self, listed: Callable[[], list[Path]]) -> None:
        """Take in what was not read because it was renamed after it was *listed*, and before it was opened."""
        for _ in range(_ANEW):
            left = [path for path in listed() if (file := _file(path)) and file not in self._opened]
            if not left or self.taken.errors:
                return
            self.every(left)

    def file(self, path: Path) -> None:
        """Take in what is new in *path*; what cannot be read is told in *taken*."""
        try:
            with identity.open_log(path) as log:
                self._opened.add(log.file)
                known = log.look in self._unpacked or self._looks.get(log.file) == log.look
                if log.look and not known and self._whole(log):
                    self._looks[log.file] = log.look
                    if log.packed and log.look not in self._unpacked:
                        self.writer.finish(log.look)
                        self._unpacked.add(log.look)
        except FileNotFoundError:  # it was renamed, and will be found under its new name
            if self.strict:
                self._failed(CannotLook(f"{path} is not there any more", "look again"))
        except OSError as error:
            self.taken.errors.append(f"{path}: {error.strerror}")
        except (CannotLook, ParseError) as error:
            being_written = path.suffix in (".gz", ".xz", ".zst", ".bz2") and _age(path) < _SETTLED
            if self.strict or not being_written:
                self._failed(error)
        self.done += _size(path)

    def _failed(self, error: MailmendError) -> None:
        self.failure = self.failure or error
        self.taken.errors.append(error.reason)

    def _whole(self, log: identity.Open) -> bool:
        """Whether *log* was taken in to the end that it had when it was opened."""
        reading = identity.resume(log, self.writer.known)
        if reading is None and self._gather is None:
            self._before = identity.last_lines(self._before + log.ends(WARM), WARM)
        if reading is None:
            return True
        size = log.stat.st_size * _PACKED if log.packed else log.stat.st_size - reading.read
        try:
            return self._read(reading, size)
        except Gone:
            self.processes = 1
            self.forget()
            return self._whole(log)  # from where it was kept

    def _read(self, reading: Reading, size: int = 0) -> bool:
        """Whether *reading*, about *size* bytes, is in the store to its end."""
        if self._gather is None:
            # Mail is under way across a rotation too. What is in both is learned twice, which changes nothing.
            before = self._before + (reading.earlier(WARM) if reading.known else b"")
            self._before = b""
            if before:
                self.gather.warm(before)
        if self.processes > 1 and size >= BESIDE:
            self.gather.beside()
        begun = since = reading.read
        self.gather.any_time = False
        broken: CannotLook | None = None
        blocks = reading.blocks()
        while True:
            try:
                block = next(blocks, None)
            except CannotLook as error:
                broken = error
                break
            if block is None:
                break
            self.gather.block(block, reading.dated)
            if reading.read - since >= COMMIT:
                self.gather.cut(reading.reached)
                since = reading.read
                if not self._keep(reading, begun):
                    return False
        if reading.read > since:
            self.gather.cut(reading.reached)
        kept = self._keep(reading, begun, wait=True)
        if broken:
            raise CannotLook(broken.reason, "what could be read before that is in the store") from None
        self.taken.waiting += reading.waiting
        self.taken.files += reading.read > begun
        return kept

    def _keep(self, reading: Reading, begun: int, *, wait: bool = False) -> bool:
        """Whether all that was handed out is in the store, and one may go on: not when told to stop."""
        for cut in self.gather.cuts(wait=wait):
            kept = self._add(reading, cut)
            if kept and self.progress and self.total:
                self.progress(min(self.done + cut.at.read - begun, self.total), self.total)
            if not kept or (not wait and self.stopped()):
                if self.gather.behind:
                    self.forget()
                return False
        return True

    def _add(self, reading: Reading, cut: Cut) -> bool:
        """Whether what was read is in the store: not where the file was cut, or another was faster."""
        if self.strict and not cut.any_time:
            self.forget()
            raise ParseError(
                f"{reading.path}: no line of Postfix is in it",
                "name Postfix's log: /var/log/mail.log, for one",
            )
        if not reading.same():
            return False
        source = self.writer.add(cut.batch, position(reading, cut.at))
        if source is None:
            return False
        reading.kept(source, cut.at)
        self._count(cut.batch)
        return True

    def journal(self) -> None:
        """Take in what the journal has after its cursor; of what was before, learn who sends what is under way."""
        source, cursor = self.writer.journal() or (None, "")
        if cursor and self._gather is None:
            self.gather.warm(journal.before(cursor, WARM))
        pieces = journal.Pieces(cursor)
        for piece in pieces:
            for block in piece:
                self.gather.block(block, datetime.now(UTC).astimezone())
            batch = self.gather.batch()
            if pieces.cursor == cursor:
                continue
            at = Position(source, 0, 0, b"", b"", "", cursor=pieces.cursor, was_cursor=cursor)
            known = self.writer.add(batch, at)
            if known is None:
                return  # another was faster
            source, cursor = known, pieces.cursor
            self._count(batch)
            if self.stopped():
                return

    def _count(self, batch: Batch) -> None:
        taken = self.taken
        taken.lines += batch.lines
        taken.unparsed += sum(each[1] for each in batch.seen.values())
        taken.deliveries += sum(each[0] for each in batch.sums.values())
        taken.failed += len(batch.failed)


def _rotated(place: logs.Place | None) -> list[Path]:
    """The log and its rotated parts, the oldest first, the one that is written last."""
    return logfiles.rotated(place.path, None) if place and place.path else []


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _age(path: Path) -> float:
    return time.time() - _written(path)


def _file(path: Path) -> tuple[int, int] | None:
    """Which file *path* is now, None where it is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def _sleep(seconds: float, stopped: Callable[[], bool]) -> None:
    end = time.monotonic() + seconds
    while not stopped() and (left := end - time.monotonic()) > 0:
        time.sleep(min(left, POLL))
