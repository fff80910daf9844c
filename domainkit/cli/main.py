"""The root of the command: which verbs there are, and how each of them ends.

Exit codes: 0 ok, 1 failed, 2 wrong use, 130 stopped by Ctrl-C, 141 the reader of a pipe went away.
An error of domainkit's own is its message alone; DOMAINKIT_DEBUG=1 shows the traceback.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import warnings
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from domainkit.cli.options import QUIET_HELP, new_app
from domainkit.cli.show import complain
from domainkit.cli.stop import STOPPED, Stop
from domainkit.errors import DomainkitError, NotFoundError, nearest

__all__ = ["app", "main"]

BROKEN_PIPE = 128 + 13  # what a program that SIGPIPE ends leaves behind
VERBS = (
    "list", "info", "download", "verify", "cache", "doctor", "quickstart", "profile", "reproduce",
)  # fmt: skip


class Verbs(TyperGroup):
    """Imports ``domainkit.cli.<verb>`` when a verb is asked for; makes exit codes of errors."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in VERBS and cmd_name not in self.commands:
            module = importlib.import_module(f"domainkit.cli.{cmd_name}")
            self.commands[cmd_name] = typer.main.get_command(module.app)
            self.commands[cmd_name].name = cmd_name
        return self.commands.get(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in VERBS and not ctx.resilient_parsing:
            raise NotFoundError(
                f"There is no command {args[0]!r}. {nearest(args[0], VERBS)} "
                "`domainkit --help` shows all."
            )
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise typer.Exit(BROKEN_PIPE) from error
        except (DomainkitError, OSError) as error:
            # an OSError is the machine's trouble (no room, no rights), not a fault of ours
            from domainkit import progress
            from domainkit.switches import switched_on

            if switched_on("DOMAINKIT_DEBUG"):
                raise

            progress.close_all()  # of what was under way beside it
            complain(str(error))
            raise typer.Exit(getattr(error, "exit_code", 1)) from error


app = new_app(
    cls=Verbs, no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]}
)


def _version(wanted: bool) -> None:
    if wanted:
        from domainkit import __version__

        typer.echo(f"domainkit {__version__}")
        raise typer.Exit


@app.callback()
def _domainkit(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help=QUIET_HELP)] = False,
) -> None:
    """Datasets, transforms and pretrained models for vision, audio and text in PyTorch.

    \b
    Start here:
      domainkit quickstart        a model in each domain, in a minute
      domainkit list              all datasets
      domainkit doctor            is this machine ready?

    Results go to stdout, progress to stderr: bars on a terminal, a line for every
    10 % elsewhere, nothing with -q. With --json the result is one JSON document
    and progress one JSON object a line, with the keys event (start, progress,
    done, stopped), bar, name, unit, done, total, seconds, per_second and note.
    Errors are plain lines on stderr.
    """
    from domainkit import progress

    progress.enable(not quiet)


def main() -> None:
    """Run the command line of this process, and leave with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal without Unicode gets question marks
            stream.reconfigure(errors="replace")
    warnings.showwarning = _warn
    stop = Stop()
    signal.signal(signal.SIGINT, stop)
    try:
        app(prog_name="domainkit")
    except SystemExit as end:
        if end.code == STOPPED:
            stop.leave()
        raise
    finally:
        _flush()


def _warn(message: Warning | str, *where: object, **more: object) -> None:
    """A warning as a plain line: where in the code it arose is nothing to the reader."""
    typer.echo(f"Warning: {message}", err=True)


def _flush() -> None:
    """Hands out what is buffered now: at exit, a broken pipe would print a traceback."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
