"""What a client wishes of the answer cache: `x-llmr-cache`, and HTTP's own `Cache-Control` (RFC 9111 §5.2.1).

    no-store    nothing of this is kept
    no-cache    nothing that is kept will do
    max-age=N   nothing that is older than N seconds will do

Other directives mean nothing to us and are passed over, as the RFC asks.
"""

from typing import Final

from llmr.chat import CacheWish
from llmr.server.call import Call

_LONGEST_S: Final = 2**31


def cache_wish(call: Call, *, said: bool | None) -> CacheWish:
    """`said` is what the hint `cache` says."""
    words = b",".join(call.values(b"cache-control")).decode("ascii", "replace").lower()
    directives = dict(_directive(word) for word in words.split(","))
    age = directives.get("max-age", "")
    return CacheWish(
        use=said,
        fresh="no-cache" in directives,
        keep="no-store" not in directives,
        max_age_s=min(float(age), _LONGEST_S) if age.isascii() and age.isdigit() and len(age) < 20 else None,
    )


def _directive(word: str) -> tuple[str, str]:
    name, _, value = word.partition("=")
    return name.strip(), value.strip().strip('"')
