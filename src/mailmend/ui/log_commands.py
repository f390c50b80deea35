"""The commands that read logs, and those that measure: report, trace, ingest, bench."""

from __future__ import annotations

import click

from mailmend.ui.ending import Outcome
from mailmend.ui.options import everywhere, this_host, wants_json


@click.command()
@everywhere
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--since", metavar="WHEN", help="Leave out what was logged before: 2h, 3 days, 2026-11-20.")
@click.option("--until", metavar="WHEN", help="And what was logged from then on.")
@click.option(
    "--processes",
    metavar="N",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    help="How many read a large log side by side.",
)
@click.option("--html", metavar="FILE", help="Write a page with plots there as well.")
@click.option("--csv", metavar="FILE", help="Write the deliveries as a table there as well.")
@click.option(
    "--stored/--no-stored",
    default=None,
    help="Ask the delivery store, however far it reaches; or read the log in any case.",
)
def report(
    files: tuple[str, ...],
    since: str | None,
    until: str | None,
    processes: int,
    html: str | None,
    csv: str | None,
    stored: bool | None,
) -> Outcome:
    """Say what is wrong with the mail, since when, who is hit and what cures it.

    Counts deliveries by receiver, address family and cause, over time, before and after each change, with
    delays, what still waits, what this server refused. Reads this host's log with its rotated parts, or FILEs,
    packed or not; without FILE it asks the delivery store (see ingest) where that knows as much, by the hour,
    and says so. Times are in this host's zone. Exit status 1: it shows what this host should have cured.
    """
    from mailmend.ui.commands import reporting

    return reporting.report(
        files,
        this_host,
        since=since,
        until=until,
        processes=processes,
        html=html,
        csv=csv,
        stored=stored,
    )


@click.command()
@everywhere
@click.argument("what", metavar="QUEUE-ID|MESSAGE-ID|ADDRESS")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--since", metavar="WHEN", help="Leave out what was logged before: 2h, 3 days, 2026-11-20.")
@click.option("--follow", is_flag=True, help="Go on as it happens, until all of it is removed or Ctrl-C.")
def trace(what: str, files: tuple[str, ...], since: str | None, *, follow: bool) -> Outcome:
    """Tell a message's whole life from the log: client, attempts, replies explained, bounces, forwards.

    Reads this host's log with its rotated parts, or FILEs. Exit status 1: nothing was found. With --follow
    and --json each event is a line of JSON.
    """
    from mailmend.ui.commands import tracing

    if follow:
        click.get_current_context().exit(
            tracing.follow(what, files, since, this_host(), as_json=wants_json())
        )
    return tracing.trace(what, files, since, this_host())


@click.command()
@everywhere
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--follow", is_flag=True, help="Go on as it is logged, until SIGTERM or Ctrl-C.")
@click.option("--status", "look", is_flag=True, help="Say what the store holds; take nothing in.")
@click.option(
    "--keep",
    metavar="DAYS",
    type=click.IntRange(0, 36500),
    help="How long failures are kept whole from now on; 0 for ever.  [400]",
)
@click.option(
    "--processes",
    metavar="N",
    type=click.IntRange(1, 2),
    default=2,
    show_default=True,
    help="2: one reads a large log, and one writes.",
)
@click.option(
    "--print-unit", "unit", is_flag=True, help="Print a systemd unit that follows; install nothing."
)
@click.option("--state", metavar="DIR", hidden=True)
def ingest(
    files: tuple[str, ...],
    *,
    follow: bool,
    look: bool,
    keep: int | None,
    processes: int,
    unit: bool,
    state: str | None,
) -> Outcome:
    """Take the log into the delivery store: what is new, exactly once.

    Reads this host's log with its rotated parts, or FILEs, packed or not, whatever they are called now. Failed
    deliveries are kept whole for 400 days, what was sent is counted by hour and by day and domain, for ever.
    """
    from mailmend.ui.commands import ingesting

    host = ingesting.at(this_host(), state)
    if unit:
        return ingesting.unit(host)
    if look:
        return ingesting.status(host)
    if follow:
        click.get_current_context().exit(ingesting.follow(files, host, keep, as_json=wants_json()))
    return ingesting.ingest(files, host, keep, processes)


@click.group()
def bench() -> None:
    """Measure mailmend, on material of your own.

    What a figure is worth depends on what it is taken on: give refusals that nobody wrote rules for.
    """


@bench.command(name="log")
@everywhere
@click.argument("file", metavar="FILE")
def bench_log(file: str) -> Outcome:
    """Say how fast a log is read, beside others.

    FILE is a mail log, not packed. The others: pflogsumm, a plain Python loop, ripgrep's count and grep's.
    """
    from mailmend.ui.commands import measuring

    return measuring.log(file)


@bench.command(name="explain")
@everywhere
@click.argument("file", metavar="FILE")
def bench_explain(file: str) -> Outcome:
    """Say how often explain is right.

    FILE (or - for standard input) is JSON Lines: text and cause, where known also receiver, coarse and who.
    """
    from mailmend.ui.commands import measuring

    return measuring.explain(file)
