"""What the host was seen to be: one look for all who ask, an older one shown meanwhile, none from before a change."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mailmend.ui.helper.sessions import Sessions
from mailmend.ui.web.console import Console
from mailmend.ui.web.looks import Looks
from mailmend.ui.web.sessions import Session

SOMEBODY = Session("grant", "token", "::1", 0.0, 0.0)


class Host:
    """Each look at it is numbered, and waits until it is let go."""

    def __init__(self) -> None:
        self.looks = 0
        self.free = threading.Event()
        self.free.set()

    def look(self, *_: Any) -> dict[str, Any]:
        self.looks += 1
        number = self.looks
        assert self.free.wait(10)
        return {"look": number}


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def console(host: Host, monkeypatch: pytest.MonkeyPatch) -> Console:
    monkeypatch.setattr(Console, "_look", host.look)
    return Console(Sessions(), frozenset({"localhost"}))


def seen(console: Console, within: float, meanwhile: float = 0.0) -> Any:
    told = asyncio.run(console.seen(SOMEBODY, "history", within=within, meanwhile=meanwhile))
    return told.whole["look"]


def test_what_was_seen_before_a_change_is_never_shown_after_it(console: Console, host: Host) -> None:
    assert seen(console, 60) == 1
    console.looks.forget()
    assert seen(console, 60, meanwhile=3600) == 2


def test_what_was_seen_before_a_file_was_saved_is_never_shown_after_it(
    console: Console, host: Host, tmp_path: Path
) -> None:
    console = replace(console, config_directory=str(tmp_path))
    assert [seen(console, 60), seen(console, 60)] == [1, 1]
    (tmp_path / "main.cf").write_text("inet_protocols = ipv4\n")
    assert [seen(console, 60, meanwhile=3600), seen(console, 60)] == [2, 2]


def test_who_asks_for_a_fresh_look_waits_for_it(console: Console, host: Host) -> None:
    assert [seen(console, 0), seen(console, 0)] == [1, 2]


def test_an_older_look_is_shown_while_one_is_made_for_all(console: Console, host: Host) -> None:
    assert seen(console, 60) == 1
    host.free.clear()
    for _ in range(5):
        assert seen(console, 0, meanwhile=3600) == 1
        # Who comes next finds the look under way.
        for _ in range(1000):
            if host.looks == 2:
                break
            time.sleep(0.005)
    host.free.set()
    for _ in range(1000):
        if (latest := console.looks.latest("history")) and latest.whole["look"] == 2:
            break
        time.sleep(0.005)
    assert (seen(console, 60), host.looks) == (2, 2)


def test_one_look_is_made_for_all_who_ask_at_once() -> None:
    looks, begun = Looks(), list[int]()

    def job() -> dict[str, Any]:
        begun.append(1)
        time.sleep(0.05)
        return {}

    threads = [threading.Thread(target=looks.look, args=("a", job, 60)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(begun) == 1
