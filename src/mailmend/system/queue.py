"""Postfix's queue: who waits and why, and the messages named tried again now (postqueue(1), postmap(1))."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mailmend.model import CannotLook, Delivery
from mailmend.parse import mailq
from mailmend.system import host

_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Message:
    """One in the queue: since when, and the *recipients* who have not got it yet."""

    arrived: datetime
    recipients: frozenset[str]


def waiting(config_directory: str | None = None) -> tuple[Delivery, ...]:
    """Every recipient in the queue with the reply of the last attempt. CannotLook where it cannot be seen.

    As JSON, which Postfix has since 3.1; before that as mailq prints it.
    """
    done = host.command([*_postqueue(config_directory), "-j"], timeout=_SECONDS)
    if done.returncode and "usage" in done.stderr.lower():
        done = host.command([*_postqueue(config_directory), "-p"], timeout=_SECONDS)
    if done.returncode:
        said = done.stderr.strip().partition("\n")[0]
        raise CannotLook(said or f"postqueue ended with {done.returncode}", "run it as root")
    return mailq.deliveries(done.stdout)


def names(config_directory: str | None = None) -> Mapping[str, str]:
    """Each queue id in the queue with the queue that it is in (`deferred`, `hold`, ...), as postqueue -j has it.

    CannotLook where it cannot be seen, or by a Postfix before 3.1.
    """
    return {entry["queue_id"]: entry["queue_name"] for entry in _entries(config_directory)}


def messages(config_directory: str | None = None) -> Mapping[str, Message]:
    """Each queue id in the queue with its message. CannotLook where it cannot be seen, or by a Postfix before 3.1."""
    return {
        entry["queue_id"]: Message(
            datetime.fromtimestamp(entry["arrival_time"], UTC),
            frozenset(each["address"] for each in entry["recipients"]),
        )
        for entry in _entries(config_directory)
    }


def _entries(config_directory: str | None) -> list[dict[str, Any]]:
    done = host.command([*_postqueue(config_directory), "-j"], timeout=_SECONDS)
    if done.returncode:
        said = done.stderr.strip().partition("\n")[0]
        raise CannotLook(said or f"postqueue ended with {done.returncode}", "run it as root")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def try_now(queue_ids: Iterable[str], config_directory: str | None = None) -> tuple[str, ...]:
    """Have each of these messages delivered at once, and no other; returns those that Postfix did not take."""
    refused = []
    for queue_id in queue_ids:
        done = host.command([*_postqueue(config_directory), "-i", queue_id], timeout=_SECONDS)
        if done.returncode:
            refused.append(queue_id)
    return tuple(refused)


def answers(table: str, keys: Iterable[str], folder: Path) -> Mapping[str, str]:
    """What a regexp_table(5) with the text *table* has for each of *keys*, as Postfix itself reads it, in one call.

    It is written below *folder* for as long as this takes. CannotLook where Postfix complains about it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("wb", dir=folder, prefix="table-") as file:
        file.write(table.encode("utf-8", "surrogateescape"))
        file.flush()
        os.fchmod(file.fileno(), 0o600)
        asked = "".join(f"{key}\n" for key in keys)
        done = host.command(["postmap", "-q", "-", f"regexp:{file.name}"], stdin=asked, timeout=_SECONDS)
    if done.stderr.strip():
        raise CannotLook(f"the table cannot be read by Postfix: {done.stderr.strip().partition(chr(10))[0]}")
    rows = (line.split("\t", 1) for line in done.stdout.splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 2}


def _postqueue(config_directory: str | None) -> list[str]:
    return ["postqueue", *(["-c", config_directory] if config_directory else [])]
