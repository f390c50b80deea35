"""The commands that run for somebody else: web for browsers; helper and recover, hidden, for units and undo.sh."""

from __future__ import annotations

from pathlib import Path

import click

from mailmend.ui.ending import Outcome
from mailmend.ui.options import everywhere, this_host, wants_json


@click.command()
@everywhere
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Where it listens.")
@click.option("--port", metavar="N", type=click.IntRange(0, 65535), default=8825, show_default=True)
@click.option(
    "--name",
    "names",
    metavar="NAME",
    multiple=True,
    help="Another name that it is asked by; https://NAME behind a proxy with TLS.",
)
@click.option("--user", "reads_only", is_flag=True, help="Only read, as whoever runs it, without a helper.")
@click.option(
    "--pam",
    "group",
    metavar="GROUP",
    help="Let root and the users of GROUP log in with their passwords, too; --user does not.",
)
@click.option("--code", "shown", is_flag=True, help="Show root a code: for what waits, else to log in.")
@click.option("--for", "wanted", metavar="DIGEST|login", help="With --code: which of several changes.")
@click.option("--print-unit", "unit", is_flag=True, help="Print its systemd units; install nothing.")
@click.option("--socket", "path", metavar="FILE", hidden=True)
def web(
    host: str,
    port: int,
    names: tuple[str, ...],
    reads_only: bool,
    group: str | None,
    shown: bool,
    wanted: str | None,
    unit: bool,
    path: str | None,
) -> Outcome:
    """Serve the console: what is wrong, the cure, and the proof, on a page.

    As root it starts a helper that does what needs root, and drops its own rights; a code to log in is printed.
    """
    place = Path(path) if path else None
    if shown or wanted:
        from mailmend.ui.commands import coding

        return coding.code(this_host(), place, wanted)
    if unit:
        from mailmend.ui.commands import coding

        return coding.units(this_host(), group)
    from mailmend.ui.commands import serving

    serving.web(
        this_host(),
        host=host,
        port=port,
        names=names,
        reads_only=reads_only,
        group=group,
        path=place,
        as_json=wants_json(),
    )
    raise click.exceptions.Exit(0)


@click.command(hidden=True)
@everywhere
@click.option("--socket", "path", metavar="FILE", help="Where it is asked.")
@click.option("--user", metavar="NAME", help="Who may ask it, besides root.")
@click.option("--pam", "group", metavar="GROUP", help="Whose passwords open the console, besides root's.")
@click.option("--work", "one", is_flag=True, help="Carry out one request of the helper's, on stdin.")
def helper(path: str | None, user: str | None, group: str | None, one: bool) -> None:
    """Do for the console what needs root, of a closed list: for its unit."""
    from mailmend.ui.commands import helping

    context = click.get_current_context()
    if one:
        context.exit(helping.work())
    if user is None:
        raise click.UsageError("--user is missing", context)
    helping.serve(this_host(), Path(path) if path else None, user, group)


@click.command(hidden=True)
@everywhere
@click.option("--guard", "change_id", metavar="ID", help="Wait until that change is settled.")
@click.option("--state", metavar="DIR", help="Where the history is kept.")
def recover(change_id: str | None, state: str | None) -> Outcome:
    """Take back what was interrupted, or not confirmed in time: for the units and undo.sh."""
    from mailmend.ui.commands import recovering

    return recovering.recover(change_id, Path(state) if state else None)
