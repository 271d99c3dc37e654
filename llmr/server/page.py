"""The page at `/`: one file, which loads nothing and may talk to nobody but this server.

The file itself is a constant and holds nothing worth a token, so it is open; what it shows comes from `/v1/status` and
`/v1/rank`, which are not. The token is asked for, kept for the tab (sessionStorage) and sent as a header: never in a URL,
never as a cookie, which other pages could make the browser send. Its policy allows the one style sheet and the one script
whose hashes it names; inline handlers, frames, images and foreign addresses are forbidden, and the script writes text through
`textContent` only.
"""

import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

_INLINE: Final = re.compile(r"<(style|script)>(.*?)</\1>", re.DOTALL)


@cache
def page() -> tuple[bytes, dict[str, str]]:
    """The page and the headers that guard it."""
    text = (files("llmr.data") / "page.html").read_text("utf-8")
    hashes = {kind: b64encode(sha256(inline.encode()).digest()).decode() for kind, inline in _INLINE.findall(text)}
    policy = (
        f"default-src 'none'; style-src 'sha256-{hashes['style']}'; script-src 'sha256-{hashes['script']}';"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return text.encode(), {
        "content-security-policy": policy,
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "x-frame-options": "DENY",
    }
