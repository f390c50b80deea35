"""The tables, and the doors: one for whoever writes, one for readers that need no right to write.

Places (receiver, family, status, cause), hosts, domains and reply templates are ids, so that a row is small. WAL:
readers and the writer never wait for each other. What goes wrong is told as CannotLook or Refused, in one line.
"""

from __future__ import annotations

import grp
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mailmend.model import CannotLook, MailmendError, Refused

FORMAT = 1
KEEP_DAYS = 400  # that failures are kept whole; counts are kept for ever
NAME = "deliveries.sqlite"
PATIENCE = 10.0  # seconds that another writer is waited for
READERS = "adm"  # the group that may read logs on Debian, and so this
_WAL_PAGES = 4000  # 16 MB, then it is written back
TABLES = """
create table meta(name text primary key, value) without rowid;
-- A log is known by its beginning and by what stood before the place that was read to: see identity.py.
create table sources(id integer primary key, head blob not null, tail blob not null, read int not null,
    cursor text not null, path text not null, lines int not null, at int not null, error text);
create table finished(look text primary key) without rowid;

create table places(id integer primary key, receiver text, family int, status text not null, cause text,
    who text not null, text text not null);
create unique index place on places(ifnull(receiver, ''), ifnull(family, 0), status, ifnull(cause, ''));
create table names(id integer primary key, name text not null unique);
create table relays(id integer primary key, host text not null, ip text not null, unique(host, ip));
create table agents(id integer primary key, host text not null, tag text not null, unique(host, tag));
create table texts(id integer primary key, template text not null);

-- Every failed delivery. `given` fills the gaps of the text's template; null instead of what is not known.
create table failed(id integer primary key, at int not null, place int not null, agent int not null, pid text,
    queue_id text not null, sender text, sender_domain int, local text not null, domain int not null, original text,
    relay int, delays text not null, dsn int not null, word int, text int not null, given text not null);
create index failed_place on failed(place, at);
create index failed_queue on failed(queue_id);
create index failed_to on failed(local, domain);
create index failed_from on failed(sender, sender_domain) where sender <> '';
create index failed_original on failed(original) where original is not null;

-- Roll-ups. An hour is the Unix time of its beginning, a day that of its midnight in this host's zone.
create table hours(place int, hour int, count int not null, forwarded int not null,
    primary key(place, hour)) without rowid;
create table place_days(place int, day int, count int not null, forwarded int not null,
    primary key(place, day)) without rowid;
create table days(day int, domain int, place int, count int not null, primary key(day, domain, place)) without rowid;
create table hits(day int, place int, kind int, name text, count int not null,
    primary key(day, place, kind, name)) without rowid;
create table month_hits(month int, place int, kind int, name text, count int not null,
    primary key(month, place, kind, name)) without rowid;
create table seen(hour integer primary key, lines int not null, unparsed int not null, messages int not null,
    first int not null, last int not null);
create table rejected(hour int, reason int, count int not null, primary key(hour, reason)) without rowid;
create table delays(day int, receiver text, part int, class int, count int not null,
    primary key(day, receiver, part, class)) without rowid;
create table month_delays(month int, receiver text, part int, class int, count int not null,
    primary key(month, receiver, part, class)) without rowid;
create table fell(hour int, receiver text, family int, cause text, count int not null,
    primary key(hour, receiver, family, cause)) without rowid;
"""
# What may yet fall through from one address family to the other, for whoever reads on (road/through.py).
PUT_OFF = """
create table if not exists put_off(queue_id text, recipient text, host text, families int not null, at int not null,
    primary key(queue_id, recipient, host)) without rowid
"""
# Whose mail was forwarded and taken; `failed` has what was not. A store of before knows it from then on only.
FORWARDED = """
create table if not exists forwarded(day int, sender int, place int, count int not null,
    primary key(day, sender, place)) without rowid
"""
FORWARDED_SINCE = """
insert or ignore into meta
    select 'forwarded_since', case when exists(select 1 from seen) then cast(strftime('%s', 'now') as int) else 0 end
"""


def file(folder: Path) -> Path:
    """The database in the store's *folder*."""
    return folder / NAME


def to_write(folder: Path) -> sqlite3.Connection:
    """The store in *folder*, made where there is none: 0640, group adm, the folder's owner.

    Refused: it cannot be written to. CannotLook: it is there and cannot be read, or is of a later mailmend.
    """
    path = file(folder)
    with telling(path):
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        if not path.exists():
            _prepare(folder, path)
        connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("pragma auto_vacuum=incremental")
            connection.execute("pragma journal_mode=wal")
            # A kill loses nothing; when the power goes, the newest rows and the place read to are lost together.
            connection.execute("pragma synchronous=normal")
            connection.execute("pragma cache_size=-20000")
            connection.execute(f"pragma wal_autocheckpoint={_WAL_PAGES}")
            connection.execute("pragma temp_store=memory")
            _make(connection)
            _known(connection, path)
            connection.execute(PUT_OFF)
            connection.execute(FORWARDED)
            connection.execute(FORWARDED_SINCE)
        except BaseException:
            connection.close()
            raise
        return connection


@contextmanager
def to_read(folder: Path) -> Iterator[sqlite3.Connection]:
    """The store in *folder*, read as it stood at one moment; the writer is not held up.

    Who may read the file alone, and not write beside it, reads it too: SQLite wants a `-shm` beside a WAL, but a
    store without one has no writer and can be read as it lies. CannotLook: there is none, or it cannot be read.
    """
    path = file(folder)
    with telling(path, reading=True):
        if not path.exists():
            raise CannotLook(f"there is no store at {path}", "mailmend ingest makes one")
        lies = not path.with_name(f"{NAME}-wal").exists() and not os.access(folder, os.W_OK)
        uri = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if lies else ''}"
        connection = sqlite3.connect(
            uri, uri=True, timeout=PATIENCE, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("pragma query_only=on")
            connection.execute("pragma cache_size=-32000")
            connection.execute("pragma temp_store=memory")
            connection.execute("begin")
            _known(connection, path)
            yield connection
        finally:
            connection.close()


@contextmanager
def telling(path: Path, *, reading: bool = False) -> Iterator[None]:
    """What SQLite and the system raise meanwhile becomes Refused, or CannotLook of whoever was *reading*."""
    try:
        yield
    except MailmendError:
        raise
    except sqlite3.Error as error:
        raise _told(path, error, reading) from None
    except OSError as error:
        kind = CannotLook if reading else Refused
        raise kind(f"{error.filename or path}: {error.strerror}") from None


def _told(path: Path, error: sqlite3.Error, reading: bool) -> MailmendError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return CannotLook(f"{path} is damaged: {error}", "move it away and take the logs in again")
    said = {
        sqlite3.SQLITE_FULL: (f"{path}: the disk is full", "nothing of it is half taken in; make room"),
        sqlite3.SQLITE_BUSY: (f"{path} is being written by another program", "try again in a moment"),
        sqlite3.SQLITE_READONLY: (f"{path} cannot be written to by you", "run it as root"),
        sqlite3.SQLITE_CANTOPEN: (f"{path} cannot be opened by you", "run it as root, or in group adm"),
        sqlite3.SQLITE_IOERR: (f"{path}: the disk cannot be read or written: {error}", ""),
    }.get(code)
    if said is None:
        return CannotLook(f"{path}: {error}")
    return (CannotLook if reading else Refused)(*said)


def _prepare(folder: Path, path: Path) -> None:
    """An empty file with the rights that SQLite then gives to those beside it as well."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    try:
        os.fchmod(fd, 0o640)
        if os.geteuid() == 0:
            owner = folder.stat()
            os.fchown(fd, owner.st_uid, _group(owner.st_gid))
            os.chown(folder, owner.st_uid, _group(owner.st_gid))
        else:
            with suppress(OSError):  # who is not in adm keeps a group of his own
                os.fchown(fd, -1, _group(-1))
                os.chown(folder, -1, _group(-1))
    finally:
        os.close(fd)


def _group(otherwise: int) -> int:
    try:
        return grp.getgrnam(READERS).gr_gid
    except KeyError:
        return otherwise


def _make(connection: sqlite3.Connection) -> None:
    if connection.execute("pragma user_version").fetchone()[0]:
        return
    connection.execute("begin immediate")
    try:
        if not connection.execute("pragma user_version").fetchone()[0]:  # another was as fast
            for statement in TABLES.split(";\n"):
                connection.execute(statement)
            connection.execute(f"pragma user_version={FORMAT}")
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise


def _known(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("pragma user_version").fetchone()[0]
    if version == 0:
        raise CannotLook(f"{path} is no store of mailmend's", "mailmend ingest makes one")
    if version > FORMAT:
        raise CannotLook(f"{path} was written by a later mailmend", "upgrade this one")
