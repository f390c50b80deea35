"""However a command ends, the operator gets one line, a script one document, and the status says which it was."""

from __future__ import annotations

import json
from typing import Any

import click
import pytest
from rich.console import Console

from mailmend.model import CannotLook, MailmendError, ParseError, Refused
from mailmend.ui.ending import Outcome, finish, run


def ends(error: BaseException | int) -> Any:
    def command() -> int:
        if isinstance(error, BaseException):
            raise error
        return error

    return command


ENDINGS = [
    pytest.param(ParseError("main.cf line 3: no =", "write name = value"), "parse", 2, id="bad input"),
    pytest.param(CannotLook("no Postfix here", "install it"), "cannot-look", 3, id="could not look"),
    pytest.param(Refused("this needs root", "run it with sudo"), "refused", 4, id="refused"),
    pytest.param(click.UsageError("No such option: --x."), "usage", 2, id="usage"),
    pytest.param(click.Abort(), "interrupted", 130, id="Ctrl-C as click tells it"),
    pytest.param(KeyboardInterrupt(), "interrupted", 130, id="Ctrl-C"),
    pytest.param(KeyError("x"), "bug", 70, id="a bug"),
    pytest.param(
        MailmendError("causes/x.md: no title"), "bug", 70, id="a catalogue that does not hold together"
    ),
]


@pytest.mark.parametrize("status", [0, 1, 4])
def test_an_answer_is_no_error(capsys: pytest.CaptureFixture[str], status: int) -> None:
    assert run(ends(status), ["check"]) == status
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("error", "kind", "status"), ENDINGS)
def test_people_get_one_line_on_stderr(
    capsys: pytest.CaptureFixture[str], error: BaseException, kind: str, status: int
) -> None:
    assert run(ends(error), ["check"]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("mailmend: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err


@pytest.mark.parametrize("argv", [["--json", "check"], ["check", "--json"]], ids=["before", "after"])
@pytest.mark.parametrize(("error", "kind", "status"), ENDINGS)
def test_scripts_get_one_document_on_stdout(
    capsys: pytest.CaptureFixture[str], error: BaseException, kind: str, status: int, argv: list[str]
) -> None:
    assert run(ends(error), argv) == status
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert err == ""
    assert (told["schema"], told["command"], told["error"]["kind"]) == ("mailmend.error/1", "check", kind)
    assert told["error"]["reason"]


def test_json_after_two_dashes_is_a_file_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(ends(Refused("no")), ["explain", "--", "--json"]) == 4
    assert capsys.readouterr().err == "mailmend: no\n"


def test_a_bug_says_where_it_is_and_how_to_see_more(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(ends(KeyError("x")), []) == 70
    err = capsys.readouterr().err
    assert "KeyError: 'x' (ui/ending.py:" in err
    assert "MAILMEND_DEBUG=1" in err


def test_a_bug_propagates_for_whoever_looks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILMEND_DEBUG", "1")
    with pytest.raises(KeyError):
        run(ends(KeyError("x")), [])


def test_a_strangers_text_in_an_error_is_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    run(ends(CannotLook("resolver said \x1b]0;x\x07\u202e\nforged line")), [])
    assert capsys.readouterr().err == "mailmend: resolver said \\x1b]0;x\\x07\\u202e forged line\n"


def test_a_document_is_ascii_whatever_strangers_wrote(capsys: pytest.CaptureFixture[str]) -> None:
    content = {"schema": "mailmend.x/1", "text": "\x9b31m\u202e\udce9 ü"}

    def screen(_: Console) -> None:
        raise AssertionError("no screen is drawn for a script")

    assert finish(Outcome(1, content, screen), as_json=True) == 1
    out = capsys.readouterr().out
    assert out.isascii()
    assert json.loads(out) == content
