"""The command line: each command is one job, shown as a screen for people or as one JSON document.

Exit status: 0 clean, 1 problems found, 2 usage, 3 could not look, 4 refused or rolled back;
explain: 0 explained, 1 no refusal found or none explained. 70 is a bug of mailmend's own, 130 Ctrl-C.
Jobs, screens and shapes are imported when a command runs: `mailmend --help` needs none of them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import click

from mailmend import __version__
from mailmend.ui import log_commands, serving_commands
from mailmend.ui.ending import Interrupted, Outcome, finish, run
from mailmend.ui.options import approval, everywhere, this_host, wants_json


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
@click.option("--senders", is_flag=True, help="Whose forwarded mail is taken, and whose not: see above.")
@click.option("--since", metavar="WHEN", help="With --senders: how far back the log is read.  [30d]")
def check(domains: tuple[str, ...], message: str | None, since: str | None, *, senders: bool) -> Outcome:
    """Look at host, DNS, authentication, configuration and log; change nothing.

    check forwarding tells every address that this host sends on, by which table, and in what state its mail leaves.

    check forwarding --senders [FILE]... tells for each sender whose mail was forwarded whether receivers will
    take it, why not, and what cures it, by this host's log or FILEs; --message is then one as it arrived here.
    """
    if senders:
        from mailmend.ui.commands import auditing

        return auditing.senders(domains, this_host(), since, message)
    if since:
        raise click.UsageError("--since goes with --senders")
    if domains == ("forwarding",) and not message:
        from mailmend.ui.commands import forwarding

        return forwarding.forwards(this_host())
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


for command in (log_commands.report, log_commands.trace, log_commands.ingest):
    mailmend.add_command(command)


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


for command in (serving_commands.web, serving_commands.helper, serving_commands.recover):
    mailmend.add_command(command)
mailmend.add_command(log_commands.bench)


@mailmend.command()
@everywhere
@click.argument("story", type=click.Choice(["bounces", "forwarding"]), default="bounces")
def demo(story: str) -> Outcome:
    """Play a story on real Postfix in a private network.

    bounces: random bounces, explained, cured, proven and taken back. forwarding: whose mail a receiver takes after
    it was forwarded, for each kind of sender and each cure, foretold and then tried.
    """
    from mailmend.ui.commands import playing

    record = click.get_current_context().find_root().meta.get("mailmend.record")
    if story == "forwarding":
        return playing.demo_forwarding(record)
    return playing.demo(as_json=wants_json(), record=record)


def main(args: Sequence[str] | None = None) -> None:
    """Run *args* (sys.argv without them) and end the process with the exit status (SystemExit)."""
    mailmend.main(args)
