"""The server's token: 256 random bits in a file that only its owner may read. There is no serving without one.

`LLMR_SERVE_TOKEN` outranks the file, for containers. The token is never printed: what is printed is where it is.
"""

import hmac
import secrets
from pathlib import Path
from shlex import quote
from typing import Final

from llmr.config.environment import Environment
from llmr.config.files import read_private
from llmr.config.private import create_private
from llmr.dataclass import dataclass
from llmr.errors import CredentialError
from llmr.secret import Secret

VARIABLE: Final = "LLMR_SERVE_TOKEN"
FILE: Final = "serve.token"
_BYTES: Final = 32
_SHORTEST: Final = 16  # characters of a token of the user's own


@dataclass(frozen=True, slots=True)
class ServerToken:
    """The token, and how a shell says it: `$LLMR_SERVE_TOKEN`, or a command that prints the file."""

    secret: Secret
    where: str
    in_shell: str

    def matches(self, said: bytes) -> bool:
        """Whether a client said it, in time that tells nothing."""
        return hmac.compare_digest(said, self.secret.reveal().encode())


def server_token(environment: Environment) -> ServerToken:
    """The token, made where there is none. Raises CredentialError, TrustError for a file that others may read."""
    said = (environment.variable(VARIABLE) or "").strip()
    if said:
        if len(said) < _SHORTEST or not (said.isascii() and said.isprintable()) or " " in said:
            raise CredentialError(f"{VARIABLE} is no token: at least {_SHORTEST} visible ASCII characters are")
        return ServerToken(Secret(said), f"in {VARIABLE}", f'"${VARIABLE}"')
    if environment.state_dir is None:
        raise CredentialError(f"there is nowhere to keep a token: HOME is not set; set {VARIABLE}")
    return _from_file(environment.state_dir / FILE, environment.uid)


def _from_file(path: Path, uid: int) -> ServerToken:
    kept = read_private(path, str(path), owner=uid)
    if kept is None:
        try:
            create_private(path, f"llmr-{secrets.token_urlsafe(_BYTES)}\n".encode())
        except OSError as error:
            raise CredentialError(f"{path}: the token cannot be written: {error.strerror}; set {VARIABLE}") from error
        kept = read_private(path, str(path), owner=uid) or b""  # another first start may have been faster
    token = kept.decode("ascii", "replace").strip()
    if len(token) < _SHORTEST or not token.isascii() or not token.isprintable():
        raise CredentialError(f"{path}: holds no token; remove it and a new one is made")
    return ServerToken(Secret(token), f"in {path} (0600)", f'"$(cat {quote(str(path))})"')
