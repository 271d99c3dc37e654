"""HTTP: the only part of llmr that speaks to a network, and the only one that imports an HTTP client.

    HttpTransport.stream(request, provider, connect_s=…) ─▶ HttpReply ─▶ chunks() | body()

What is left to httpx and httpcore is what they are good at: connection reuse, proxies, HTTP/1.1. What they
measurably do not bound (trust.md §0.5, T21–T23) is done here: content is decoded with limits, names are
looked up where they cannot delay the end of the process, and every failure becomes a `ProviderError` once.
Redirects are never followed, cookies never kept, the environment never read. Time limits other than the one
on connecting belong to the router: whatever it cancels here closes its socket at once.

Files: client.py requests over httpx · direct.py requests without it, for `llmr serve` · http1.py one connection of those ·
reply.py an answer as it arrives · sockets.py the network under both · coding.py Content-Encoding with limits · origin.py where
a request may go · outgoing.py headers that leave, the key among them · late_keys.py keys that a vault gives out · failures.py
the libraries' exceptions → ours · without_anyio.py what httpcore would import for a lock.
"""

import sys
from types import ModuleType

# `import httpx` runs httpx._main, its command line, which imports click, rich and pygments where they are installed, and
# rich is: 60–90 ms for nothing (libraries.md). An empty module in its place makes that import fail, as httpx expects.
sys.modules.setdefault("httpx._main", ModuleType("httpx._main"))

from llmr.transport.client import HttpTransport  # noqa: E402
from llmr.transport.reply import HttpReply  # noqa: E402

__all__ = ["HttpReply", "HttpTransport"]
