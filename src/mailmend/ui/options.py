"""Options that many commands have, and what they mean: the host that a command is about, JSON or a screen."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from mailmend.model import ParseError

if TYPE_CHECKING:
    from mailmend.jobs.here import Here

Function = TypeVar("Function", bound=Callable[..., Any])


def _remember(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value:
        ctx.find_root().meta[f"mailmend.{parameter.name}"] = value


def everywhere(function: Function) -> Function:
    """The options that may stand before the command or after it."""
    as_json = click.option(
        "--json", is_flag=True, expose_value=False, callback=_remember, help="Print one JSON document."
    )
    directory = click.option(
        "--config-directory",
        metavar="DIR",
        hidden=True,
        expose_value=False,
        callback=_remember,
        help="Another Postfix instance's configuration.",
    )
    # What was asked of the world, written down or played back: for reports, the demo and tests.
    record = click.option("--record", metavar="FILE", hidden=True, expose_value=False, callback=_remember)
    replay = click.option("--replay", metavar="FILE", hidden=True, expose_value=False, callback=_remember)
    bundle = click.option(
        "--bundle",
        metavar="FILE",
        expose_value=False,
        callback=_remember,
        help="Write what was looked at, without mailbox names and passwords, for a report.",
    )
    return as_json(bundle(directory(record(replay(function)))))


def approval(function: Function) -> Function:
    """`--yes`, `--confirm` and `--confirm-within`, given to the command as *yes* and *trial*."""

    @functools.wraps(function)
    def command(*args: Any, confirm: bool, within: int, **options: Any) -> Any:
        return function(*args, trial=None if confirm else timedelta(seconds=within), **options)

    yes = click.option("--yes", is_flag=True, help="Approve the plan without being asked.")
    at_once = click.option(
        "--confirm",
        is_flag=True,
        help="Keep it once its proof holds, instead of waiting for mailmend confirm.",
    )
    seconds = click.option(
        "--confirm-within",
        "within",
        metavar="SECONDS",
        type=click.IntRange(5, 3600),
        default=120,
        show_default=True,
        help="How long a change to listeners, TLS or relaying waits to be confirmed.",
    )
    return yes(at_once(seconds(cast("Function", command))))


def wants_json() -> bool:
    return bool(click.get_current_context().find_root().meta.get("mailmend.json"))


def this_host() -> Here:
    """The host that the command is about: this one, or one whose looks were recorded."""
    from mailmend.jobs.here import here

    root = click.get_current_context().find_root()
    replay, record = root.meta.get("mailmend.replay"), root.meta.get("mailmend.record")
    try:
        host = here(root.meta.get("mailmend.config_directory"), replay=Path(replay) if replay else None)
    except (OSError, ValueError) as error:
        raise ParseError(
            f"{replay} is no recording that can be read: {error}", "make one with --record"
        ) from None
    if record:
        root.call_on_close(lambda: host.save(Path(record)))
    if bundle := root.meta.get("mailmend.bundle"):
        root.call_on_close(lambda: host.save(Path(bundle), redacted=True))
    return host
