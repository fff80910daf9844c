"""One cache for every file from the network: a URL and a digest in, a verified local path out.

Datasets, weights and tokenizers all come through ``fetch``. A file gets its final name only after
its bytes were checked, by an atomic rename; until then it grows under ``partial/``, where a later
run (or another process) takes up what a killed one left. Under ``home()``:

    files/<algorithm>/<2 digits>/<digest>/<name>   the verified file, and .domainkit.json with its
                                                   addresses, digests and size
    partial/<key>.part, .json                      bytes so far, and whose they are
    locks/<key>.lock                               held by the one process that fetches

``DOMAINKIT_HOME`` moves all of it, ``DOMAINKIT_OFFLINE=1`` forbids the network, and
``DOMAINKIT_MIRROR=https://mirror/x`` is asked for ``https://mirror/x/host/a/b`` before
``https://host/a/b`` (several mirrors, by spaces or commas, are tried in order).

Resuming follows RFC 9110 (Range with If-Range and a strong validator), waiting between attempts
M. Brooker's "full jitter" (AWS Architecture Blog, 2015).
"""

from __future__ import annotations

from domainkit.cache.fetcher import Policy, fetch
from domainkit.cache.layout import Entry, entries, home, remove, verify
from domainkit.cache.local import check, lock

__all__ = ["Entry", "Policy", "check", "entries", "fetch", "home", "lock", "remove", "verify"]
