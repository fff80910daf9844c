"""The group of verbs that each module here adds one to, and the shortest of them."""

from __future__ import annotations

from domainkit import cache
from domainkit.cli.options import new_app
from domainkit.cli.show import line

__all__ = ["app", "path"]

app = new_app(
    help="Where downloads are kept, what is there, and how to make room.", no_args_is_help=True
)


@app.command()
def path() -> None:
    """Print the folder of the cache; DOMAINKIT_HOME moves it.

    \b
    Example:
      du -sh "$(domainkit cache path)"
    """
    line(str(cache.home()))
