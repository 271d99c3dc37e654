"""Who may ask at all: decided before anyone looks at the path, on raw headers, never on a URL made of them.

    Host     one, and ours ─▶ else 421: a page whose name was rebound to 127.0.0.1 still says its own name
    Origin   none, our own, or one that was allowed ─▶ else 403, and no Access-Control header, ever
    token    one, ours ─▶ else 401: on loopback too, for every program and page on the machine can connect there

Three are answered without a token, because what they say is a constant: `/health`, the page at `/`, and the preflight of an
allowed origin.
(trust.md T17–T19, §4; B59–B61.)
"""

from typing import Final

from llmr.dataclass import dataclass
from llmr.server.call import Call
from llmr.server.problems import refuse
from llmr.server.token import ServerToken

OPEN_PATHS: Final = frozenset({"/health", "/"})
_LOCAL_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
_LONGEST_HOST: Final = 255


@dataclass(frozen=True, slots=True)
class Guard:
    """`hosts` are names that the user gave the server besides the local ones; `origins` may read answers in a browser.

    A local name must come with our port, another's port is its proxy's business.
    """

    token: ServerToken
    port: int
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()

    def check(self, call: Call) -> None:
        """Raises Refused."""
        call.host = self._host(call)
        call.origin = self._origin(call)
        preflight = call.method == "OPTIONS" and call.origin is not None
        if call.path not in OPEN_PATHS and not preflight:
            self._token(call)

    def _host(self, call: Call) -> str:
        said = call.values(b"host")
        if len(said) != 1:
            raise refuse(400, "bad_host", "exactly one Host header is needed")
        host = said[0].decode("ascii", "replace").lower()
        name, colon, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
        if not colon:
            name, port = host, ""
        local = name in _LOCAL_NAMES and (port == str(self.port) or (not port and self.port == 80))
        named = name in self.hosts and (not colon or (port.isascii() and port.isdigit()))
        if len(host) > _LONGEST_HOST or not (local or named):
            raise refuse(421, "misdirected_request", "this server goes by another name (`llmr serve --allow-host`)")
        return host

    def _origin(self, call: Call) -> str | None:
        """The origin that may read the answer; None: no browser asks, or our own page does."""
        origins = call.values(b"origin")
        if origins:
            origin = origins[0].decode("ascii", "replace")
            if len(origins) == 1 and origin in self.origins:
                return origin
            if len(origins) == 1 and origin == f"http://{call.host}":
                return None
            raise refuse(403, "origin_not_allowed", "no page of another origin may ask (`llmr serve --allow-origin`)")
        if call.value(b"sec-fetch-site") in ("cross-site", "same-site"):
            raise refuse(403, "origin_not_allowed", "no page of another site may ask")
        return None

    def _token(self, call: Call) -> None:
        bearers = call.values(b"authorization")
        keys = call.values(b"x-api-key")
        if len(bearers) + len(keys) == 1:
            said = keys[0] if keys else _bearer(bearers[0])
            if self.token.matches(said.strip()):
                return
        refused = refuse(401, "invalid_api_key", f"the server's token is needed as API key; it is {_place(self.token)}")
        refused.headers = {"www-authenticate": "Bearer"}
        raise refused


def _bearer(value: bytes) -> bytes:
    scheme, _, token = value.partition(b" ")
    return token if scheme.lower() == b"bearer" else b""


def _place(token: ServerToken) -> str:
    """Where to look, without the path, which names the user."""
    return (
        "in the variable LLMR_SERVE_TOKEN"
        if "LLMR_SERVE_TOKEN" in token.where
        else "where `llmr serve` said at its start"
    )
