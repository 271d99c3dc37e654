"""What types cannot say: whether the settings mean something, and something possible.

Each check yields faults and knows nothing of files; settle.py finds the places and words the error. A rule that cannot
match, or that leaves nothing, is an error rather than a surprise on the one day on which it was to hold.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

from llmr.config.origin import Fault, KeyPath, Origins
from llmr.config.schema import (
    FromVariable,
    NameTable,
    ProviderTable,
    RoutingFile,
    RuleTable,
    TokenRangeTable,
)
from llmr.config.search import Scope
from llmr.config.urls import Address, UnfitUrl, address_of, origin_of
from llmr.config.wording import show
from llmr.routing.policy import Policy
from llmr.secret import MASK, Redactor

PROVIDER_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")  # trust.md T26
MODEL_NAME: Final = re.compile(r"[A-Za-z0-9._:@+-]{1,64}")  # no slash: that is provider/model-id
VARIABLE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")  # RFC 9110 §5.6.2, token
HEADER_VALUE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,4094}[\x21-\x7e])?")  # trust.md T15
HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")

FRAMING_HEADERS: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "te", "upgrade", "trailer"}
)
CREDENTIAL_HEADERS: Final = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-goog-api-key"}
)
"""Headers that carry keys: a key is bound to an origin (C3), so it travels in api_key_env or not at all."""
CREDENTIAL_QUERIES: Final = frozenset({"key", "api_key", "api-key", "apikey", "token", "access_token"})
"""A key in a URL ends in logs (wire.md §B.4, auth)."""

_LONGEST_ID: Final = 256
_WILDCARDS: Final = re.compile(r"[*?\[]")


def faults_in(settings: RoutingFile, origins: Origins) -> Iterator[Fault]:
    """All that is wrong with settings that have the right types."""
    yield from _default_model(settings)
    for name, provider in settings.providers.items():
        yield from _provider(name, provider)
    for name, named in settings.models.items():
        yield from _named_model(name, named, settings)
    yield from _rules(settings, origins)
    yield from _ranges(settings)


def _unknown(path: KeyPath, what: str, word: str, known: Iterable[str]) -> Fault:
    return Fault(path, f"unknown {what} {show(word)}", word=word, known=tuple(known))


# Providers


def _provider(name: str, provider: ProviderTable) -> Iterator[Fault]:
    path: KeyPath = ("providers", name)
    if not PROVIDER_NAME.fullmatch(name) or name in {".", ".."}:
        yield Fault(path, "is no provider name: 1 to 64 letters, digits, dots, underscores and hyphens")
        return
    yield from _base_url((*path, "base_url"), provider)
    yield from _key_variables((*path, "api_key_env"), provider.api_key_env or ())
    for index, origin in enumerate(provider.key_origins or ()):
        try:
            origin_of(origin)
        except UnfitUrl as error:
            yield Fault((*path, "key_origins", index), str(error))
    yield from _headers((*path, "headers"), provider.headers or {})
    yield from _dialect((*path, "dialect"), provider)
    for model_id in provider.models or ():
        yield from _model_id((*path, "models"), model_id)
    if provider.shares is not None and not PROVIDER_NAME.fullmatch(provider.shares):
        yield Fault((*path, "shares"), "expected 1 to 64 letters, digits, dots, underscores and hyphens")
    if provider.tls_ca is not None:
        yield from _file_name((*path, "tls_ca"), provider.tls_ca)


def _base_url(path: KeyPath, provider: ProviderTable) -> Iterator[Fault]:
    if provider.base_url is None:
        yield Fault(path, 'is missing: write base_url = "https://…"')
        return
    if isinstance(provider.base_url, FromVariable):
        yield from _from_variable(path, provider.base_url)
        return
    try:
        address = address_of(provider.base_url)
    except UnfitUrl as error:
        yield Fault(path, str(error))
        return
    if is_plaintext_leak(address, has_key=bool(provider.api_key_env)) and not provider.allow_plaintext:
        yield Fault(path, f"{PLAINTEXT}; use https, or set allow_plaintext = true", distrust=True)


PLAINTEXT: Final = "would send a key over http:// to another machine, unencrypted"  # trust.md T14


def is_plaintext_leak(address: Address, *, has_key: bool) -> bool:
    """Whether a key would cross the network unencrypted."""
    return has_key and address.scheme == "http" and not address.loopback


def _from_variable(path: KeyPath, value: FromVariable) -> Iterator[Fault]:
    yield from _key_variables((*path, "env"), (value.env,))
    if value.append and not re.fullmatch(r"(?:/[A-Za-z0-9._~-]+)+", value.append):
        yield Fault((*path, "append"), "expected a path that begins with a slash")


def _key_variables(path: KeyPath, names: Sequence[str]) -> Iterator[Fault]:
    for name in names:
        if name == "" and len(names) == 1:  # api_key_env = "": no key is sent
            continue
        if not VARIABLE_NAME.fullmatch(name) or MASK in Redactor()(name):
            yield Fault(path, "expected the name of an environment variable, not a key or anything else")
            return


def _headers(path: KeyPath, headers: Mapping[str, str | FromVariable]) -> Iterator[Fault]:
    for name, value in headers.items():
        here = (*path, name)
        if not HEADER_NAME.fullmatch(name):
            yield Fault(here, "is no header name")
        elif name.lower() in FRAMING_HEADERS:
            yield Fault(here, "is a header that llmr sets itself")
        elif name.lower() in CREDENTIAL_HEADERS:
            yield Fault(here, "carries a key: name its variable in api_key_env (and dialect.auth_header) instead")
        elif isinstance(value, FromVariable):
            yield from _from_variable(here, value)
        elif not HEADER_VALUE.fullmatch(value):
            yield Fault(here, "expected visible ASCII characters, without blanks at either end")


def _dialect(path: KeyPath, provider: ProviderTable) -> Iterator[Fault]:
    dialect = provider.dialect
    if dialect is None:
        return
    if dialect.auth_header is not None:
        name = dialect.auth_header.lower()
        if not HEADER_NAME.fullmatch(name) or name in FRAMING_HEADERS:
            yield Fault((*path, "auth_header"), "is no header for a key")
    if dialect.auth_prefix and not re.fullmatch(r"[\x21-\x7e]{1,32} ?", dialect.auth_prefix):
        yield Fault((*path, "auth_prefix"), 'expected a word such as "Bearer "')
    if dialect.chat_path is not None and not re.fullmatch(r"(?:/[A-Za-z0-9._~:{}-]+)+", dialect.chat_path):
        yield Fault((*path, "chat_path"), "expected a path that begins with a slash")
    for name, value in (dialect.query or {}).items():
        if name.lower() in CREDENTIAL_QUERIES:
            yield Fault((*path, "query", name), "would put a key into a URL; use api_key_env")
        elif not re.fullmatch(r"[A-Za-z0-9._~-]{1,128}", name) or not re.fullmatch(r"[A-Za-z0-9._~:-]{0,512}", value):
            yield Fault((*path, "query", name), "expected letters, digits, dots, hyphens and underscores")


def _model_id(path: KeyPath, model_id: str) -> Iterator[Fault]:
    if not model_id or len(model_id) > _LONGEST_ID or not model_id.isprintable() or model_id != model_id.strip():
        yield Fault(path, f"{show(model_id)} is no model id: 1 to {_LONGEST_ID} printable characters")


def _file_name(path: KeyPath, name: str) -> Iterator[Fault]:
    if not name or "\0" in name or len(name) > 4096:
        yield Fault(path, "is no file name")
    elif name.startswith("~") and not name.startswith("~/"):
        yield Fault(path, "expected an absolute path or one that begins with ~/")


# Names


def _default_model(settings: RoutingFile) -> Iterator[Fault]:
    name = settings.default_model
    if name is not None:
        yield from _served_name(("default_model",), name, settings)


def _served_name(path: KeyPath, name: str, settings: RoutingFile) -> Iterator[Fault]:
    """A name of [models.*], or provider/model-id."""
    if name in settings.models:
        return
    provider, slash, model_id = name.partition("/")
    if slash and provider in settings.providers and model_id:
        yield from _model_id(path, model_id)
    elif slash:
        yield _unknown(path, "provider", provider, settings.providers)
    else:
        yield _unknown(path, "model", name, settings.models)


def _named_model(name: str, named: NameTable, settings: RoutingFile) -> Iterator[Fault]:
    path: KeyPath = ("models", name)
    if not MODEL_NAME.fullmatch(name):
        yield Fault(path, "is no model name: 1 to 64 letters, digits and . _ : @ + -")
        return
    seen: set[str] = set()
    for index, key in enumerate(named.candidates):
        here = (*path, "candidates", index)
        provider, slash, model_id = key.partition("/")
        if not slash:
            yield Fault(here, f"expected provider/model-id, found {show(key)}")
        elif provider not in settings.providers:
            yield _unknown(here, "provider", provider, settings.providers)
        elif key in seen:
            yield Fault(here, f"{show(key)} is listed twice")
        else:
            seen.add(key)
            yield from _model_id(here, model_id)
    for index, other in enumerate(named.fallback or ()):
        if other == name:
            yield Fault((*path, "fallback", index), "is the model itself")
        elif other not in settings.models:
            yield _unknown((*path, "fallback", index), "model", other, settings.models)


# Rules


def _rules(settings: RoutingFile, origins: Origins) -> Iterator[Fault]:
    """`lenient`: a project's file is for everybody who works there, and may speak of what not everybody has."""
    deciding: dict[int, str] = {}  # layer → the first rule there after which no other is asked
    for index, rule in enumerate(settings.rules):
        path: KeyPath = ("rules", index)
        layer, _ = origins.rules[index]
        lenient = origins.layers[layer].scope is Scope.PROJECT and not origins.layers[layer].trusted
        if layer in deciding:
            yield Fault(path, f"can never be reached: rule {show(deciding[layer])} before it always decides")
        yield from _condition((*path, "when"), rule)
        if not lenient and rule.when is not None and rule.when.model is not None:
            yield from _asked_globs((*path, "when", "model"), rule.when.model, settings)
        yield from _selection(path, rule, settings, lenient=lenient)
        for position, name in enumerate(rule.models or ()):
            yield from _served_name((*path, "models", position), name, settings)
        if is_unconditional(rule) and not rule.then_continue:
            deciding.setdefault(layer, rule.name or f"number {index + 1}")


def is_unconditional(rule: RuleTable) -> bool:
    """Whether the rule matches every request."""
    return rule.when is None or not rule.when.model_dump(exclude_none=True)


def _condition(path: KeyPath, rule: RuleTable) -> Iterator[Fault]:
    when = rule.when
    if when is None:
        return
    if when.prompt_tokens is not None:
        yield from _token_range((*path, "prompt_tokens"), when.prompt_tokens)
    if when.hours is not None:
        yield from _hours((*path, "hours"), when.hours)
    for key, words in (("tags", when.tags), ("model", when.model), ("strategy", when.strategy)):
        if words is not None and not words:
            yield Fault((*path, key), "is empty, so it asks nothing")


def _token_range(path: KeyPath, bounds: TokenRangeTable) -> Iterator[Fault]:
    over, under = bounds.over, bounds.under
    if over is None and under is None:
        yield Fault(path, "expected over, under or both")
    elif over is not None and under is not None and under - over < 2:
        yield Fault(path, f"can never match: no number lies between over = {over} and under = {under}")
    elif under == 0:
        yield Fault(path, "can never match: no prompt has fewer than 0 tokens")


def _hours(path: KeyPath, text: str) -> Iterator[Fault]:
    try:
        minutes_of(text)
    except ValueError as error:
        yield Fault(path, str(error))


def minutes_of(text: str) -> tuple[int, int]:
    """`"22:00-06:00"` as minutes after midnight, end exclusive. Raises ValueError with what is expected."""
    found = HOURS.fullmatch(text)
    if found is None:
        raise ValueError(f'expected hours such as "22:00-06:00", found {show(text)}')
    start = int(found[1]) * 60 + int(found[2])
    end = int(found[3]) * 60 + int(found[4]) if found[3] else 24 * 60
    if start == end:
        raise ValueError("can never match: it begins when it ends")
    return start, end


def _asked_globs(path: KeyPath, globs: Sequence[str], settings: RoutingFile) -> Iterator[Fault]:
    """The name asked for is one of [models.*], an id that some provider is known to have, or provider/model-id."""
    from fnmatch import fnmatchcase

    ids = {key.partition("/")[2] for named in settings.models.values() for key in named.candidates}
    listed = chain.from_iterable(provider.models or () for provider in settings.providers.values())
    askable = {*settings.models, *ids, *listed}
    for glob in globs:
        if not any(fnmatchcase(name, glob) for name in askable) and not _fits_some_provider(glob, settings.providers):
            yield Fault(
                path, f"can never match: no model is called {show(glob)}", word=glob, known=tuple(settings.models)
            )


def _selection(path: KeyPath, rule: RuleTable, settings: RoutingFile, *, lenient: bool) -> Iterator[Fault]:
    known = settings.providers
    for key, globs in (("prefer", rule.prefer), ("only", rule.only), ("avoid", rule.avoid)):
        for glob in globs or ():
            if _fits_some_provider(glob, known) or (lenient and key != "only"):
                continue
            here = (*path, key)
            if glob in known:
                yield Fault(here, f'{show(glob)} matches nothing: write "{glob}/*"')
            else:
                yield _unknown(here, "provider in", glob.partition("/")[0], known)
    if rule.only is not None and not rule.only:
        yield Fault((*path, "only"), "is empty, so nothing is left; to refuse, use deny")
    elif rule.only and set(rule.only) <= set(rule.avoid or ()):
        yield Fault((*path, "only"), "is avoided by the same rule")


def _fits_some_provider(glob: str, providers: Iterable[str]) -> bool:
    """Whether the glob can match `provider/…` for some known provider. Wildcards match slashes too, as in fnmatch."""
    fixed = _WILDCARDS.split(glob, maxsplit=1)[0]
    is_exact = fixed == glob
    for name in providers:
        prefix = f"{name}/"
        if fixed.startswith(prefix) and len(glob) > len(prefix):
            return True
        if not is_exact and prefix.startswith(fixed):
            return True
    return False


# Numbers that only make sense together


_ORDERED: Final[tuple[tuple[str, str, str], ...]] = (
    ("circuit_breaker", "cooldown_s", "cooldown_cap_s"),
    ("circuit_breaker", "rate_backoff_s", "rate_backoff_cap_s"),
    ("fallback", "backoff_base_s", "backoff_cap_s"),
    ("timeouts", "deadline_s", "total_s"),
)
"""(table, the lesser, the greater): the first may not exceed the second."""


def _ranges(settings: RoutingFile) -> Iterator[Fault]:
    defaults = Policy()
    of_table = {
        "circuit_breaker": (settings.circuit_breaker, defaults.breaker),
        "fallback": (settings.fallback, defaults.fallback),
        "timeouts": (settings.timeouts, defaults.timeouts),
    }
    for table, lesser, greater in _ORDERED:
        said, default = of_table[table]
        if said is None:
            continue
        low = getattr(said, lesser) or getattr(default, lesser)
        high = getattr(said, greater) or getattr(default, greater)
        if low > high:
            key = lesser if getattr(said, lesser) is not None else greater
            yield Fault((table, key), f"{lesser} ({low:g}) is above {greater} ({high:g})")
    if settings.state is not None and settings.state.path is not None and settings.state.path != ":memory:":
        yield from _file_name(("state", "path"), settings.state.path)
