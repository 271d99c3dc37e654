"""What httpcore, ssl and the system raise, as one `ProviderError`.

Messages are made here from what we know (which host, how far we got, the system's own word for the errno) and
never from the library's text, which quotes headers and bytes of the peer.
"""

import os
import socket
import ssl
from enum import StrEnum
from typing import Any, Final

import httpcore

from llmr.dataclass import dataclass
from llmr.errors import ErrorKind, ProviderError
from llmr.transport.sockets import LookupFailed


class Phase(StrEnum):
    """How far an exchange has got. The value ends the sentence "failed while …"."""

    CONNECTING = "connecting"
    TUNNELLING = "asking the proxy for a tunnel"
    TLS = "shaking hands (TLS)"
    SENDING = "sending the request"
    WAITING = "waiting for the answer's headers"
    READING = "reading the answer"


_CONNECTED: Final = frozenset({Phase.SENDING, Phase.WAITING, Phase.READING})

FAILURES: Final = (
    httpcore.ProtocolError,
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
    httpcore.ConnectionNotAvailable,
    OSError,  # TimeoutError and ssl.SSLError are ones
)
"""Everything that a request may raise and that is not ours."""


@dataclass(slots=True)
class Progress:
    """How far one exchange with `peer` has got; `peer` is host and port, and the proxy's where there is one."""

    peer: str
    connect_s: float
    phase: Phase = Phase.CONNECTING

    def follow(self, event: str, info: dict[str, Any]) -> bool:
        """Note an event of httpcore's `trace` extension. True when it is the one that ends the connecting."""
        tunnel = getattr(info.get("request"), "method", b"") == b"CONNECT"
        match event:
            case "connection.start_tls.started" | "proxy.start_tls.started":
                self.phase = Phase.TLS
            case "http11.send_request_headers.started":
                self.phase = Phase.TUNNELLING if tunnel else Phase.SENDING
                return not tunnel
            case "http11.receive_response_headers.started" if not tunnel:
                self.phase = Phase.WAITING
            case "http11.receive_response_headers.complete" if self.phase is Phase.WAITING:
                self.phase = Phase.READING
            case _:
                pass
        return False


def provider_error(error: Exception, progress: Progress, *, told_of_end: bool = False) -> ProviderError:
    """The one error that `error` means. `told_of_end`: the peer closed the connection before the message was
    whole.
    """
    kind, what = _judge(error, progress, told_of_end=told_of_end)
    return ProviderError(kind, f"{progress.peer}: {what}")


def _judge(error: Exception, progress: Progress, *, told_of_end: bool) -> tuple[ErrorKind, str]:
    phase = progress.phase
    match error:
        case LookupFailed():
            return ErrorKind.CONNECT, f"name lookup failed{_why(error)}"
        case httpcore.ProxyError():
            return ErrorKind.CONNECT, f"the proxy refused the tunnel ({str(error)[:3]})"
        case httpcore.RemoteProtocolError() if phase is Phase.READING and told_of_end:
            return ErrorKind.INCOMPLETE, "closed the connection in the middle of the answer"
        case httpcore.RemoteProtocolError() if str(error).startswith("Server disconnected"):
            return ErrorKind.CONNECT, f"closed the connection while {phase}"
        case httpcore.RemoteProtocolError():
            return ErrorKind.BAD_RESPONSE, f"sent something that is not HTTP, or too much of it, while {phase}"
        case httpcore.LocalProtocolError() | httpcore.UnsupportedProtocol():
            return ErrorKind.BAD_REQUEST, "the request cannot be put in HTTP"
        case TimeoutError() if phase not in _CONNECTED:
            return ErrorKind.CONNECT_TIMEOUT, f"no connection within {progress.connect_s:g} s, gave up {phase}"
        case _ if phase is Phase.READING:
            return ErrorKind.INCOMPLETE, f"the connection broke in the middle of the answer{_why(error)}"
        case _ if _is_tls(error):
            return ErrorKind.TLS, f"TLS failed while {phase}{_why(error)}"
        case _:
            return ErrorKind.CONNECT, f"failed while {phase}{_why(error)}"


def _source(error: Exception) -> object:
    """What sockets.py had to report, else `error` itself."""
    return error.args[0] if error.args and isinstance(error.args[0], Exception) else error


def _is_tls(error: Exception) -> bool:
    """Whether TLS itself objected; of a peer that merely left in the middle of a handshake asyncio says it reset."""
    return isinstance(_source(error), ssl.SSLError)


def _why(error: Exception) -> str:
    """The system's own words, in brackets: they quote nothing that the peer sent."""
    source = _source(error)
    match source:
        case ssl.SSLCertVerificationError():
            words = f"certificate: {source.verify_message}"
        case ssl.SSLError():
            words = (source.reason or "").replace("_", " ").lower()
        case socket.gaierror():
            words = source.strerror or ""
        case OSError(errno=int(number)):
            words = os.strerror(number)  # asyncio's own strerror repeats the address
        case _:
            words = ""
    return f" ({words})" if words else ""
