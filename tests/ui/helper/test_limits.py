"""What is only looked at takes a bounded time and answer, and ends with who asked for it."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mailmend.model import CannotLook, Refused
from mailmend.ui.helper import acting, verbs
from mailmend.ui.helper.acting import Acting, Gone

Does = Callable[[str], list["subprocess.Popen[bytes]"]]


@pytest.fixture
def does(monkeypatch: pytest.MonkeyPatch) -> Does:
    """Every process of the helper runs this shell script instead; those that were started."""
    started: list[subprocess.Popen[bytes]] = []

    def given(script: str) -> list[subprocess.Popen[bytes]]:
        def start(_job: object, out: int) -> subprocess.Popen[bytes]:
            process = subprocess.Popen(["/bin/sh", "-c", script], stdout=out, start_new_session=True)
            started.append(process)
            return process

        monkeypatch.setattr(acting, "start", start)
        return started

    return given


@pytest.fixture
def helper(tmp_path: Path) -> Acting:
    return Acting(state=tmp_path)


def trace(helper: Acting, say: Callable[[bytes], None] = lambda _line: None) -> None:
    grant = helper.sessions.login(helper.sessions.login_code(), "::1")
    helper.act(verbs.Trace(grant, "a@b.example"), say, root=False)


def test_what_ends_in_time_is_told_line_by_line(helper: Acting, does: Does) -> None:
    does("""printf '{"kind": "step"}\\n{"do'; sleep 0.2; printf 'ne": {}}\\n{"done": {"a": 1}}\\n'""")
    heard: list[bytes] = []
    trace(helper, heard.append)
    assert [line for line in heard if line] == [
        b'{"kind": "step"}\n',
        b'{"done": {}}\n',
        b'{"done": {"a": 1}}\n',
    ]


def ended(stat: Path) -> bool:
    """Whether a process that was killed is gone, or waits for init alone, within ten seconds."""
    for _ in range(100):
        try:
            if stat.read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        threading.Event().wait(0.1)
    return False


def test_what_takes_too_long_is_ended_with_all_that_it_started(
    helper: Acting, does: Does, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(acting, "TRACE_LASTS", 0.5)
    started = does(f"sleep 600 & echo $! >{tmp_path}/child; wait")
    with pytest.raises(CannotLook, match="more time"):
        trace(helper)
    assert started[0].returncode == -9
    child = Path("/proc", (tmp_path / "child").read_text().strip(), "stat")
    assert ended(child)


def test_who_goes_away_ends_it(helper: Acting, does: Does) -> None:
    def gone(line: bytes) -> None:
        assert line == b""
        raise Gone

    started = does("sleep 600")
    with pytest.raises(Gone):
        trace(helper, gone)
    assert started[0].returncode == -9


def test_an_answer_that_never_ends_is_no_answer(
    helper: Acting, does: Does, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acting, "_LONGEST", 1 << 20)
    does("yes x | tr -d '\\n'")
    with pytest.raises(CannotLook, match="too long"):
        trace(helper)


def test_a_process_that_dies_is_told_as_that(helper: Acting, does: Does) -> None:
    does("""echo '{"kind": "step"}'; kill -9 $$""")
    with pytest.raises(CannotLook, match="ended in the middle"):
        trace(helper)


def test_a_third_trace_is_refused_and_the_next_one_is_not(helper: Acting, does: Does) -> None:
    does("sleep 600")
    waiting = threading.Event()

    def until(_line: bytes) -> None:
        if waiting.wait(60):
            raise Gone

    def one() -> None:
        with pytest.raises(Gone):
            trace(helper, until)

    two = [threading.Thread(target=one) for _ in range(2)]
    for thread in two:
        thread.start()
    while helper._traces._value:  # both have begun
        threading.Event().wait(0.01)
    with pytest.raises(Refused, match="too many"):
        trace(helper)
    waiting.set()
    for thread in two:
        thread.join()
    does("""echo '{"done": {}}'""")
    trace(helper)
