"""The command line: each command is one job, shown as a screen for people or as one JSON document.

Exit status: 0 clean, 1 problems found, 2 usage, 3 could not look, 4 refused or rolled back;
explain: 0 explained, 1 no refusal found or none explained. 70 is a bug of mailmend's own, 130 Ctrl-C.
Jobs, screens and shapes are imported when a command runs: `mailmend --help` needs none of them.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

import click

from mailmend import __version__
from mailmend.model import ParseError
from mailmend.ui.ending import Interrupted, Outcome, finish, run

if TYPE_CHECKING:
    from mailmend.jobs.here import Here

Function = TypeVar("Function", bound=Callable[..., Any])


class Mailmend(click.Group):
    """The group: commands in the order of the road, and every ending told in one place."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # click would print a line of its own
            raise Interrupted from None

    def main(  # type: ignore[override]  # standalone or not, it never returns
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        argv = list(sys.argv[1:] if args is None else args)
        extra["standalone_mode"] = False

        def command() -> Any:
            from mailmend.ui.commands import recovering

            recovering.at_start(argv)
            return click.Group.main(self, argv, prog_name or "mailmend", **extra)

        sys.exit(run(command, argv))


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


@click.group(
    cls=Mailmend,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 clean, 1 problems found, 2 usage, 3 could not look, 4 refused or rolled back.",
)
@everywhere
@click.version_option(__version__, message="mailmend %(version)s")
def mailmend() -> None:
    """From a bounce to a proven fix, for mail that Postfix cannot get delivered.

    explain says what a refusal means; check looks; fix heals, proves it, and takes it back when the
    proof fails.
    """


@mailmend.result_callback()
def _finish(outcome: Outcome) -> int:
    return finish(outcome, as_json=wants_json())


@mailmend.command()
@everywhere
@click.argument("files", nargs=-1, metavar="[FILE|DIRECTORY|-]...")
@click.option("--check", "look", is_flag=True, help="Run the checks that decide between the causes.")
@click.option("--cause", "cause_id", metavar="ID", help="Show the page about a cause instead.")
def explain(files: tuple[str, ...], look: bool, cause_id: str | None) -> Outcome:
    """Say who refused, why, who must act and what to do.

    Takes a bounce, a reply, log lines or mailq output, from files or standard input, packed by gzip or not;
    of an mbox every message, of a directory (a Maildir, or a folder of mail) every file. Asks no network
    unless --check is given.
    """
    from mailmend.ui.commands import explaining

    if cause_id:
        return explaining.page(cause_id)
    return explaining.explain(files, this_host if look else None)


@mailmend.command()
@everywhere
@click.argument("domains", nargs=-1, metavar="[DOMAIN]...")
@click.option(
    "--message", metavar="FILE", help="A message as it left here: does its DKIM signature still hold?"
)
def check(domains: tuple[str, ...], message: str | None) -> Outcome:
    """Look at host, DNS, authentication, configuration and log; change nothing."""
    from mailmend.ui.commands import looking

    return looking.check(domains, this_host(), message)


@mailmend.command()
@everywhere
def status() -> Outcome:
    """Show what is saved, loaded, running and delivering, side by side."""
    from mailmend.ui.commands import holding, looking

    host = this_host()
    return holding.beside(host, looking.status(host))


@mailmend.command()
@everywhere
@click.argument("domains", nargs=-1, metavar="[DOMAIN]...")
@click.option("--remedy", metavar="ID", help="This remedy, whatever was found (mailmend list remedies).")
@click.option("--dry-run", is_flag=True, help="Show the plan; change nothing.")
@click.option("--rehearse", "rehearsed", is_flag=True, help="Try it on a copy of this host first.")
@approval
@click.option("--to", "address", metavar="ADDRESS", help="Send one message there afterwards and follow it.")
def fix(
    domains: tuple[str, ...],
    remedy: str | None,
    dry_run: bool,
    rehearsed: bool,
    yes: bool,
    trial: timedelta | None,
    address: str | None,
) -> Outcome:
    """Plan the narrowest remedy, show the difference, apply it, prove it.

    DOMAIN names the recipients' domains it is about; without one, the log tells which were refused.
    A proof that fails takes the change back by itself; so do 120 s without `mailmend confirm`, where it
    touches listeners, TLS or relaying.
    """
    from mailmend.ui.commands import changing, holding

    host = this_host()
    done = changing.fix(
        host,
        domains,
        remedy,
        dry_run=dry_run,
        yes=yes,
        trial=trial,
        address=address,
        as_json=wants_json(),
        rehearsed=rehearsed,
    )
    return holding.beside(host, done)


@mailmend.command(name="set")
@everywhere
@click.argument("assignments", nargs=-1, metavar="NAME=VALUE...")
@click.option(
    "-X",
    "--default",
    "defaults",
    multiple=True,
    metavar="NAME",
    help="Take NAME out, so that its default applies.",
)
@click.option("--dry-run", is_flag=True, help="Show the plan; change nothing.")
@approval
def set_(
    assignments: tuple[str, ...],
    defaults: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    trial: timedelta | None,
) -> Outcome:
    """Set settings of Postfix, all at once, and prove it.

    NAME is a setting of main.cf, SERVICE/TYPE/NAME one of a single service or a column of master.cf
    (smtp/unix/inet_protocols, smtp/inet/process_limit, smtp/inet/command), SERVICE/TYPE a whole entry, all
    as postconf(1) names them. What is equal to root is set by its own name alone.
    """
    from mailmend.ui.commands import setting

    return setting.set_(
        this_host(), assignments, defaults, dry_run=dry_run, yes=yes, trial=trial, as_json=wants_json()
    )


@mailmend.command()
@everywhere
@click.argument("assignments", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--remedy", metavar="ID", help="This remedy; without one, what fix would choose.")
def rehearse(assignments: tuple[str, ...], remedy: str | None) -> Outcome:
    """Try a change on a copy of this host in a private network; touch nothing.

    Shows which mail comes through before and after it, and what cannot be known this way.
    """
    from mailmend.ui.commands import rehearsing

    return rehearsing.rehearse(this_host(), assignments, remedy)


@mailmend.command()
@everywhere
def apply() -> Outcome:
    """Bring the running Postfix to what is saved, validated first."""
    from mailmend.ui.commands import changing

    return changing.apply(this_host())


@mailmend.command()
@everywhere
@click.argument("change_id", required=False, metavar="[ID]")
def confirm(change_id: str | None) -> Outcome:
    """Keep the change that waits for it; without this it is taken back."""
    from mailmend.ui.commands import changing

    return changing.confirm(this_host(), change_id)


@mailmend.command()
@everywhere
@click.argument("change_id", required=False, metavar="[ID]")
def undo(change_id: str | None) -> Outcome:
    """Take a change back: the newest, or the one named."""
    from mailmend.ui.commands import changing

    return changing.undo(this_host(), change_id)


@mailmend.command()
@everywhere
@click.argument("change_id", required=False, metavar="[ID]")
def history(change_id: str | None) -> Outcome:
    """List what mailmend changed here, newest first; with ID, one change whole."""
    from mailmend.ui.commands import looking

    return looking.history(this_host(), change_id)


@mailmend.command()
@everywhere
@click.argument("switch", required=False, type=click.Choice(["on", "off", "watch"]), metavar="[on|off]")
@click.option(
    "--cause", "causes", metavar="ID", multiple=True, help="on: refusals for this; may be repeated."
)
@click.option(
    "--for", "length", metavar="TIME", help="on: at most so long (4d, 12h, 90m).  [half the queue lifetime]"
)
@click.option(
    "--limit", metavar="N", type=click.IntRange(1, 100_000), help="on: at most so many messages.  [1000]"
)
@click.option("--dry-run", is_flag=True, help="on: show the plan; change nothing.")
@click.option("--yes", is_flag=True, help="on: approve the plan without being asked.")
@click.option("--state", metavar="DIR", hidden=True)
def hold(
    switch: str | None,
    causes: tuple[str, ...],
    length: str | None,
    limit: int | None,
    dry_run: bool,
    yes: bool,
    state: str | None,
) -> Outcome:
    """Let refused mail wait instead of bouncing while it is being fixed.

    on: refusals for the sender's address, DNS or authentication stay queued, bounded in time and volume; never
    those for content or recipients. off: the mail that was held is tried again, and followed. Without either:
    what is held now.
    """
    from mailmend.ui.commands import holding

    if switch == "on":
        return holding.on(this_host(), causes, length, limit, dry_run=dry_run, yes=yes, as_json=wants_json())
    if switch == "watch":
        return holding.watch(Path(state) if state else None)
    return holding.off(this_host()) if switch == "off" else holding.shown(this_host())


@mailmend.command()
@everywhere
@click.option("--to", "address", metavar="ADDRESS", help="Send one message there and follow it.")
@click.argument("recipient", required=False, metavar="[ADDRESS]")
def prove(address: str | None, recipient: str | None) -> Outcome:
    """Look afresh whether the newest change still holds."""
    from mailmend.ui.commands import looking

    return looking.prove(this_host(), address or recipient)


@mailmend.command()
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


@mailmend.command()
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


@mailmend.command()
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
    "--print-unit", "unit", is_flag=True, help="Print a systemd unit that follows; install nothing."
)
@click.option("--state", metavar="DIR", hidden=True)
def ingest(
    files: tuple[str, ...], *, follow: bool, look: bool, keep: int | None, unit: bool, state: str | None
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
    return ingesting.ingest(files, host, keep)


@mailmend.command(name="list")
@everywhere
@click.argument("what", type=click.Choice(["causes", "receivers", "checks", "remedies", "settings"]))
def list_(what: str) -> Outcome:
    """List what mailmend knows."""
    from mailmend.ui.commands import knowing

    return knowing.listing(what)


@mailmend.command()
@everywhere
@click.option("--undo", "back", is_flag=True, help="Give Webmin its own command back.")
def webmin(back: bool) -> Outcome:
    """Let Webmin's own Apply button run mailmend apply."""
    from mailmend.ui.commands import changing

    return changing.webmin(this_host(), back)


@mailmend.command()
@everywhere
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Where it listens.")
@click.option("--port", metavar="N", type=click.IntRange(0, 65535), default=8825, show_default=True)
@click.option("--name", "names", metavar="NAME", multiple=True, help="Another name that it is asked by.")
@click.option("--user", "reads_only", is_flag=True, help="Only read, as whoever runs it, without a helper.")
@click.option("--code", "shown", is_flag=True, help="Show root a code: for what waits, else to log in.")
@click.option("--for", "wanted", metavar="DIGEST|login", help="With --code: which of several changes.")
@click.option("--print-unit", "unit", is_flag=True, help="Print its systemd units; install nothing.")
@click.option("--socket", "path", metavar="FILE", hidden=True)
def web(
    host: str,
    port: int,
    names: tuple[str, ...],
    reads_only: bool,
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

        return coding.units(this_host())
    from mailmend.ui.commands import serving

    serving.web(
        this_host(),
        host=host,
        port=port,
        names=names,
        reads_only=reads_only,
        path=place,
        as_json=wants_json(),
    )
    raise click.exceptions.Exit(0)


@mailmend.command(hidden=True)
@everywhere
@click.option("--socket", "path", metavar="FILE", help="Where it is asked.")
@click.option("--user", metavar="NAME", help="Who may ask it, besides root.")
@click.option("--work", "one", is_flag=True, help="Carry out one request of the helper's, on stdin.")
def helper(path: str | None, user: str | None, one: bool) -> None:
    """Do for the console what needs root, of a closed list: for its unit."""
    from mailmend.ui.commands import helping

    context = click.get_current_context()
    if one:
        context.exit(helping.work())
    if user is None:
        raise click.UsageError("--user is missing", context)
    helping.serve(this_host(), Path(path) if path else None, user)


@mailmend.command(hidden=True)
@everywhere
@click.option("--guard", "change_id", metavar="ID", help="Wait until that change is settled.")
@click.option("--state", metavar="DIR", help="Where the history is kept.")
def recover(change_id: str | None, state: str | None) -> Outcome:
    """Take back what was interrupted, or not confirmed in time: for the units and undo.sh."""
    from mailmend.ui.commands import recovering

    return recovering.recover(change_id, Path(state) if state else None)


@mailmend.group()
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


@mailmend.command()
@everywhere
def demo() -> Outcome:
    """Play the whole story on real Postfix in a private network."""
    from mailmend.ui.commands import playing

    record = click.get_current_context().find_root().meta.get("mailmend.record")
    return playing.demo(as_json=wants_json(), record=record)


def main(args: Sequence[str] | None = None) -> None:
    """Run *args* (sys.argv without them) and end the process with the exit status (SystemExit)."""
    mailmend.main(args)
