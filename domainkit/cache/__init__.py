"""One cache for every file from the network: a URL and a digest in, a verified local path out.

Datasets, weights and tokenizers all come through ``fetch``. A file gets its final name only after
its bytes were checked, by an atomic rename; until then it grows under ``partial/``, where a later
run (or another process) takes up what a killed one left. Under ``home()``:

    files/<2 digits>/<sha256>/<name>   the verified file, each content once
    records/<key>.json                 what a digest or an address stands for, and its last use
    partial/<key>.part, .map, .json    bytes so far, and whose they are
    locks/<key>.lock                   held by the one process that fetches

``DOMAINKIT_HOME`` moves all of it, ``DOMAINKIT_OFFLINE=1`` forbids the network, and
``DOMAINKIT_MIRROR=https://mirror/x`` is asked for ``https://mirror/x/host/a/b`` before
``https://host/a/b`` (several mirrors, by spaces or commas, are tried in order).
``DOMAINKIT_SHARED`` names caches that are looked into and never written; ``DOMAINKIT_JOBS``,
``DOMAINKIT_BANDWIDTH`` and ``DOMAINKIT_DEADLINE`` are the settings of ``Policy.from_environment``.

Resuming follows RFC 9110 (Range with If-Range and a strong validator), waiting between attempts
M. Brooker's "full jitter" (AWS Architecture Blog, 2015).
"""

from __future__ import annotations

from domainkit.cache.fetcher import adopt, fetch
from domainkit.cache.layout import home
from domainkit.cache.local import check
from domainkit.cache.locks import lock, reach_of_locks
from domainkit.cache.policy import Policy
from domainkit.cache.records import Entry
from domainkit.cache.upkeep import entries, remove, verify

__all__ = [
    "Entry",
    "Policy",
    "adopt",
    "check",
    "entries",
    "fetch",
    "home",
    "lock",
    "reach_of_locks",
    "remove",
    "verify",
]
