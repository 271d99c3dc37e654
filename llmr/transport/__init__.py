"""HTTP: the only part of llmr that speaks to a network, and the only one that imports an HTTP client.

    HttpTransport.stream(request, provider, connect_s=…) ─▶ HttpReply ─▶ chunks() | body()

What is left to httpx and httpcore is what they are good at: connection reuse, proxies, HTTP/1.1. What they
measurably do not bound (trust.md §0.5, T21–T23) is done here: content is decoded with limits, names are
looked up where they cannot delay the end of the process, and every failure becomes a `ProviderError` once.
Redirects are never followed, cookies never kept, the environment never read. Time limits other than the one
on connecting belong to the router: whatever it cancels here closes its socket at once.

Files: client.py requests and replies · sockets.py the network under httpcore · coding.py Content-Encoding
with limits · outgoing.py headers that leave, the key among them · late_keys.py keys that a vault gives out ·
failures.py their exceptions → ours.
"""

from llmr.transport.client import HttpReply, HttpTransport

__all__ = ["HttpReply", "HttpTransport"]
