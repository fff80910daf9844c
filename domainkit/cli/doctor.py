"""``domainkit doctor``: what ``domainkit.doctor.diagnose`` finds, printed."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from domainkit.cli.options import Json, new_app
from domainkit.cli.show import document, line, paint, plural, wrapped

if TYPE_CHECKING:
    from domainkit.doctor import Check

__all__ = ["app"]

COLOURS = {"ok": "green", "warning": "yellow", "fault": "red"}

Warm = Annotated[
    bool, typer.Option("--warm", help="Compile the CPU kernels ahead (up to some minutes).")
]

app = new_app()


@app.command(short_help="Is this machine ready? Says what to mend.")
def doctor(json: Json = False, warm: Warm = False) -> None:
    """Check Python, torch, GPUs, the other libraries, the cache and the environment.

    Exit code 0 means that domainkit works here, 1 that something it needs is broken. Nothing is
    changed (but Numba's cache, by --warm) and the network is not used.

    \b
    Example:
      domainkit doctor
      domainkit doctor --warm
    """
    from domainkit import doctor as look

    checks = look.diagnose()
    if warm:
        checks.append(look.warm())
    good = look.usable(checks)
    if json:
        document({"usable": good, "checks": [asdict(check) for check in checks]})
    else:
        wide = max(len(check.name) for check in checks)
        for check in checks:
            lead = f"{check.state.ljust(7)}  {check.name.ljust(wide)}  "
            state = paint(check.state, COLOURS[check.state])
            wrapped(lead, check.found, lead.replace(check.state, state, 1))
            if check.fix:
                wrapped(" " * len(lead), f"-> {check.fix}")
        line(f"\n{_verdict(checks)}")
    if not good:
        raise typer.Exit(1)


def _verdict(checks: list[Check]) -> str:
    count = Counter(check.state for check in checks)
    if count["fault"]:
        return f"{plural(count['fault'], 'fault')}: domainkit does not work here; see the arrows"
    warned = f", {plural(count['warning'], 'warning')}" if count["warning"] else ""
    return f"domainkit works here{warned}"
