"""A log that is written and rotated in every way that logrotate(8) knows, with the truth about what was written."""

from __future__ import annotations

import gzip
import lzma
import os
import random
import shutil
import threading
import time
from collections import Counter
from pathlib import Path

LINE = (
    "Nov 22 10:{minute:02}:{second:02} mx1 postfix/{service}[{pid}]: 4{number:09X}: to=<u{number}@{domain}>, "
    "relay={relay}, delay=1.2, delays=0.1/0.2/0.3/0.6, dsn={dsn}, status={status} ({text})\n"
)
_SENT = ("2.0.0", "sent", "250 2.0.0 Ok: queued as {id}")
_REFUSED = (
    "5.7.1",
    "bounced",
    "host mx.example.org[192.0.2.1] said: 550 5.7.1 no such id {id} (in reply to RCPT TO)",
)
_OLDEST = 500  # none is dropped: whoever is killed all the time is slow


class Rotating(threading.Thread):
    """Writes until `stop`; *written* counts the lines by what became of the mail, every recipient once."""

    def __init__(self, path: Path, seed: int, pause: float = 0.004) -> None:
        super().__init__(daemon=True)
        self.path = path
        self.dice = random.Random(seed)  # noqa: S311
        self.pause = pause
        self.written: Counter[str] = Counter()
        self.ways: Counter[str] = Counter()
        self.number = 0
        self.ended = False
        self.failure: BaseException | None = None
        self.spare: list[Path] = []

    def stop(self) -> None:
        self.ended = True
        self.join()
        if self.failure:
            raise self.failure

    def run(self) -> None:
        try:
            self._run()
        except BaseException as error:  # told by stop, in the thread of the test
            self.failure = error

    def _run(self) -> None:
        file = self.path.open("ab", buffering=0)
        while not self.ended:
            for _ in range(self.dice.randint(1, 100)):
                self._line(file)
            time.sleep(self.dice.random() * self.pause)
            if self.dice.random() < 0.04:
                file = self._rotate(file)
            if self.dice.random() < 0.05:
                self._pack()
        file.close()

    def _line(self, file: object) -> None:
        self.number += 1
        dice = self.dice
        dsn, status, text = _REFUSED if dice.random() < 0.3 else _SENT
        line = LINE.format(
            minute=self.number // 6000 % 60,
            second=self.number // 100 % 60,
            service="smtp",
            pid=dice.randrange(300, 900),
            number=self.number,
            domain=dice.choice(("example.org", "example.net", "gmail.com")),
            relay=dice.choice(("mx.example.org[192.0.2.1]:25", "mx.example.org[2001:db8::25]:25")),
            dsn=dsn,
            status=status,
            text=text.format(id=f"{dice.randrange(1 << 40):012X}"),
        ).encode()
        write = file.write  # type: ignore[attr-defined]
        if dice.random() < 0.02:  # a line is not always written at once
            cut = dice.randrange(1, len(line))
            write(line[:cut])
            time.sleep(0.001)
            write(line[cut:])
            self.ways["in two"] += 1
        else:
            write(line)
        self.written[status] += 1

    def _rotate(self, file: object) -> object:
        for number in range(_OLDEST, 0, -1):
            for ending in ("", ".gz", ".xz"):
                old = self._part(number, ending)
                if old.exists():
                    old.rename(self._part(number + 1, ending))
        way = ("rename", "copytruncate")[(self.ways["rename"] + self.ways["copytruncate"]) % 2]
        self.ways[way] += 1
        if way == "copytruncate":
            shutil.copyfile(self.path, self._part(1))
            file.truncate(0)  # type: ignore[attr-defined]
            return file
        self.path.rename(self._part(1))
        late = self.dice.random() < 0.3
        if late:  # the writer is told to open its log anew a moment later
            self._line(file)
            self.ways["written after the rename"] += 1
        file.close()  # type: ignore[attr-defined]
        return self.path.open("ab", buffering=0)

    def _pack(self) -> None:
        """Pack one of the older parts, as gzip(1) does: the new file grows beside the old one, which then goes."""
        number = self.dice.randint(2, 8)
        old = self._part(number)
        if not old.exists():
            return
        ending = self.dice.choice((".gz", ".xz"))
        data = old.read_bytes()
        packed = gzip.compress(data, 1) if ending == ".gz" else lzma.compress(data, preset=0)
        modified = old.stat().st_mtime_ns
        with self._part(number, ending).open("wb", buffering=0) as file:
            for at in range(0, len(packed), 8192):
                file.write(packed[at : at + 8192])
                time.sleep(0.0005)
        os.utime(self._part(number, ending), ns=(modified, modified))
        inode = old.stat().st_ino
        old.unlink()
        # On most file systems the next file that is made gets the number that has become free.
        again = self.path.with_name("other")
        again.write_bytes(b"x")
        self.ways["inode reused"] += again.stat().st_ino == inode
        again.unlink()
        self.ways[f"packed {ending}"] += 1

    def _part(self, number: int, ending: str = "") -> Path:
        return self.path.with_name(f"{self.path.name}.{number}{ending}")
