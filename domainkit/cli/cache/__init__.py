"""``domainkit cache``: where the cache is, what is in it, and taking things out."""

from __future__ import annotations

from domainkit.cli.cache.group import app
from domainkit.cli.cache.ls import ls
from domainkit.cli.cache.prune import prune
from domainkit.cli.cache.rm import rm
from domainkit.cli.cache.verify import verify

__all__ = ["app", "ls", "prune", "rm", "verify"]
