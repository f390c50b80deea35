"""What the console's process calls: a change from the code to its proof, and errors as everywhere."""

from __future__ import annotations

import json
import socket
import sys
import threading
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from mailmend.model import CannotLook, ParseError, Refused
from mailmend.ui.helper import verbs
from mailmend.ui.helper.client import Helper, Line, connect
from ui.helper.conftest import PAGE, Asking

GRANT = "g" * 43


def answering(path: Path, *lines: bytes) -> Helper:
    """A helper that says *lines* to whoever asks, and goes."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()

    def answer() -> None:
        with listening, listening.accept()[0] as asked:
            asked.recv(65536)
            asked.sendall(b"".join(lines))

    threading.Thread(target=answer, daemon=True).start()
    return Helper(path)


def test_where_there_is_no_helper_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(CannotLook, match="no helper answers"):
        connect(tmp_path / "none")
    with pytest.raises(CannotLook, match="does not answer"):
        Helper(tmp_path / "none").status(GRANT)


@pytest.mark.parametrize(
    "said", [b"", b"what?\n", b'{"kind": "step"}\n', b"[]\n", b"null\n", b'{"error": {}}\n']
)
def test_a_helper_that_speaks_nonsense_did_not_answer(tmp_path: Path, said: bytes) -> None:
    with pytest.raises(CannotLook):
        answering(tmp_path / "socket", said).status(GRANT)


def test_what_is_outside_of_the_list_is_not_even_sent(tmp_path: Path) -> None:
    nobody = Helper(tmp_path / "none")
    with pytest.raises(ParseError):
        nobody.begin_session("x", "not an address")
    with pytest.raises(ParseError):
        nobody.propose_set(GRANT, {"myhostname": "a\nb = c"})
    with pytest.raises(ParseError):
        nobody.status("short")


def test_lines_are_told_as_they_come_and_the_answer_is_returned(tmp_path: Path) -> None:
    heard: list[Line] = []
    step = {"kind": "step", "at": "2026-11-22T10:00:00+00:00", "says": "proving", "shape": None}
    helper = answering(
        tmp_path / "socket", json.dumps(step).encode() + b"\n", b'{"done": {"state": "kept"}}\n'
    )
    assert helper.apply(GRANT, "0" * 64, heard.append) == {"state": "kept"}
    assert heard == [Line("step", "2026-11-22T10:00:00+00:00", "proving", None)]


def test_a_refusal_is_one_here_too(tmp_path: Path) -> None:
    told = {"error": {"kind": "refused", "reason": "no", "next_step": "try something else"}}
    with pytest.raises(Refused) as refused:
        answering(tmp_path / "socket", json.dumps(told).encode() + b"\n").status(GRANT)
    assert (refused.value.reason, refused.value.next_step) == ("no", "try something else")


def test_every_proposal_has_a_call() -> None:
    sent: list[verbs.AnyProposal] = []

    class Listening(Helper):
        def propose(self, grant: str, proposal: verbs.AnyProposal) -> dict[str, Any]:
            sent.append(proposal)
            return {}

    helper = Listening(Path("none"))
    helper.propose_fix(GRANT, remedy="ipv4-only")
    helper.propose_set(GRANT, {"smtpd_banner": None})
    helper.propose_undo(GRANT, "x")
    helper.propose_hold(GRANT, True, hours=2)
    helper.propose_hold(GRANT, False)
    helper.propose_activation(GRANT)
    assert {type(each) for each in sent} == set(verbs.Proposal.__subclasses__())


@pytest.mark.lab
def test_the_page_s_user_carries_a_change_out_and_takes_it_back(relay: Any, ask: Asking) -> None:
    code = ask.login_code()
    story = dedent(
        f"""
        import json, os
        from mailmend.ui.helper.client import connect
        os.setgroups([]), os.setgid({PAGE}), os.setuid({PAGE})
        helper, heard = connect(), []
        grant = helper.begin_session("{code}", "192.0.2.7")
        helper.keep_session(grant), helper.require_session(grant)
        shown = helper.propose_set(grant, {{"message_size_limit": "2048000"}})
        done = helper.apply(grant, shown["digest"], heard.append)
        back = helper.propose_undo(grant, done["change"]["id"])
        undone = helper.undo(grant, back["digest"])
        traced = helper.trace(grant, "a@b.example")
        told = helper.status(grant)
        helper.end_session(grant)
        print(json.dumps([done["state"], [line.kind for line in heard], undone["identical"], traced["schema"],
                          [each["what"] for each in told["last"]]]))
        """
    )
    done = relay.run([sys.executable, "-P", "-c", story])
    assert done.returncode == 0, done.stderr
    state, kinds, identical, schema, acts = json.loads(done.stdout)
    assert (state, identical, schema, acts) == ("kept", True, "mailmend.trace/1", ["undo", "set"])
    assert kinds[-1] == "proof"
