"""Which failure is which: the table that every wire's errors go through (wire.md §A.4), read from the top.

The first row that fits gives the kind. A row fits where its status fits *and* one of its words or phrases is present (a row
without words and phrases asks only for its status). Words are the machine-readable codes of the body, phrases are pieces of
its prose. A new failure rule is one row.

The order is the meaning: money before rate (both are 429), the named cause before the bare status, ours before theirs.
"""

from typing import Final

from llmr.dataclass import dataclass
from llmr.errors import ErrorKind as K

HTML: Final = "<html>"  # the word for a body that is a page: no code looks like it
_ANY: Final = range(600)
_4XX: Final = range(400, 500)
_REQUEST: Final = (*range(200, 300), 400, 404, 413, 422, 500, 501)  # llama.cpp says 500 for the client's mistakes


@dataclass(frozen=True, slots=True)
class Row:
    """`statuses` also hold a number found inside the body; 200 stands for an error inside a 200 that names no
    status.

    `phrases` are lower case; "a…b" asks for a and, later, b. `refused` asks for `x-should-retry: false`.
    """

    kind: K
    statuses: range | tuple[int, ...] = _ANY
    words: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    refused: bool = False


ROWS: Final = (
    # money and day quotas: no waiting of seconds mends them
    Row(K.QUOTA, (402, 412)),  # 412: Fireworks, "Account is suspended"
    Row(K.QUOTA, words=(
        "insufficient_quota", "credit_balance_exhausted", "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded", "organization_usage_limit_exceeded", "enforced_spend_limit_reached",
        "billing_error", "billing_hard_limit_reached", "billing_not_active", "payment_required", "quota_per_day",
        "insufficient_balance", "insufficient_credits", "exceeded_current_quota_error", "arrearage", "billing_disabled",
        "1113", "1309", "1310",  # z.ai: balance exhausted, plan expired, week's or month's quota used up
    )),
    Row(K.QUOTA, (400, 403, 429, *range(200, 300)), phrases=(
        "credit balance is too low", "insufficient balance", "insufficient credits", "spend limit", "api usage limits",
        "billing is not enabled", "requires billing", "enable billing", "spending limit", "key limit exceeded",
        "free-models-per-day",  # OpenRouter's own day quota
    )),
    # who is asking
    Row(K.AUTH, (401,)),
    Row(K.AUTH, words=(
        "invalid_api_key", "wrong_api_key", "api_key_invalid", "authentication_error", "unauthenticated",
        "unauthorized", "unsupported_country_region_territory", "permission_error", "permission_denied",
    )),
    Row(K.AUTH, (400, 403, *range(200, 300)), phrases=(
        "incorrect api key", "invalid api key", "api key not valid", "api key is invalid",
        "user location is not supported",
    )),
    # too large for the limit: the same 429 will come back for this request
    Row(K.TOO_LARGE_FOR_LIMIT, (413, 429, *range(200, 300)), phrases=("request too large…limit",)),
    Row(K.TOO_LARGE_FOR_LIMIT, (429,), refused=True),  # Anthropic: this one request is over the limit per minute
    Row(K.TOOL_USE_FAILED, words=("tool_use_failed",)),
    # what is asked of whom
    Row(K.UNSUPPORTED, (400, 404), phrases=("no endpoints found that support", "no endpoints found that can handle")),
    Row(K.MODEL_NOT_FOUND, words=(
        "model_not_found", "deploymentnotfound", "unknown_model", "invalid_model", "model_decommissioned",
        "model_not_available", "model_terms_required", "model_not_supported", "unknownmodel", "endpoint_not_found",
        "resource_does_not_exist", "1211",  # 1211: z.ai
    )),
    Row(K.MODEL_NOT_FOUND, (404,), words=("not_found",), phrases=(
        "no endpoints found", "model not found", "model…not found", "model…does not exist", "models/", "model:",
        "model…not available", "model…deprecated", "model…not exist",
    )),
    Row(K.MODEL_NOT_FOUND, (400, 403, 410, 422), phrases=(
        "model not found", "the supported api model names are", "is not a valid model", "invalid model",
        "no such model", "unknown model", "model…does not exist", "model…has been deprecated", "model…has been decommissioned",
        "does not have access to model",
    )),
    Row(K.CONTEXT_LENGTH, words=(
        "context_length_exceeded", "exceed_context_size_error", "too_many_prompt_tokens", "request_too_large",
        "model_max_prompt_tokens_exceeded", "context_window_exceeded", "1261",  # 1261: z.ai
    )),
    Row(K.CONTEXT_LENGTH, (*_REQUEST, 429), phrases=(
        "prompt is too long", "prompt too long", "maximum context length", "max context length", "context window of",
        "exceeds the context window", "exceeds the available context size", "token count…exceeds",
        "reduce the length of", "too large for model", "input is too long",
        "maximum prompt length", "exceeds the maximum number of tokens", "exceed context limit", "exceeds max length",
        "`inputs` must have less than", "`max_new_tokens` must be <=",  # text-generation-inference
    )),
    Row(K.CONTEXT_LENGTH, (413,)),
    # refused for what it says
    Row(K.CONTENT_FILTER, words=(
        "content_filter", "content_policy_violation", "responsibleaipolicyviolation", "refusal", "moderation",
        "moderation_blocked", "content_filtered", "data_inspection_failed", "1301",  # 1301: z.ai
    )),
    Row(K.CONTENT_FILTER, (400, 403, *range(200, 300)), phrases=(
        "moderation", "flagged", "content management policy", "content policy", "content filtering", "blocked by…safety",
    )),
    Row(K.AUTH, (403,)),
    # what the model cannot do
    Row(K.UNSUPPORTED, words=("unsupported_parameter", "unsupported_value", "unsupported_file", "unsupported_model")),
    Row(K.UNSUPPORTED, _REQUEST, phrases=(
        "does not support", "do not support", "doesn't support", "not supported", "is unsupported",
        "unsupported content[]", "unsupported parameter", "are not enabled for this model", "is not enabled for this model",
        "is not enabled for models/", "vision' capability", "unknown variant `…expected `text`", "requires --", "mmproj",
    )),
    Row(K.UNSUPPORTED, (501,)),
    Row(K.BAD_REQUEST, (500,), phrases=("cannot use both", "cannot make get request")),  # llama.cpp, see §A.2
    # how the provider is
    Row(K.GATEWAY, range(500, 600), words=(HTML,)),  # an API says JSON: this is a proxy, whatever is behind it
    Row(K.SERVER, words=("unavailable", "internal")),  # Google: "overloaded" in prose, but its class is SERVER (§A.4)
    Row(K.OVERLOADED, (498, 529)),  # 498: Groq flex capacity
    Row(K.OVERLOADED, words=(
        "overloaded_error", "server_is_overloaded", "capacity_exceeded", "provider_overloaded", "overloaded",
        "engine_overloaded", "engine_overloaded_error", "queue_exceeded", "service_tier_capacity_exceeded",
        "1305",  # z.ai
    )),
    Row(K.OVERLOADED, (*range(200, 300), 424, 429, *range(500, 600)), phrases=(
        "at capacity", "overloaded", "over capacity",
    )),
    Row(K.RATE_LIMIT, (429,)),
    Row(K.RATE_LIMIT, (*range(200, 300), 503), words=(
        "rate_limit_exceeded", "rate_limit_error", "rate_limited", "resource_exhausted", "too_many_requests",
        "slow_down", "too_many_requests_error",
    )),
    Row(K.SERVER, range(500, 600)),
    Row(K.SERVER, (408, 424, 425, 499)),  # 424: Azure, Groq, the model behind the gateway failed
    Row(K.BAD_REQUEST, _4XX),
    Row(K.BAD_REQUEST, range(200, 300), words=("invalid_request_error", "invalid_argument", "bad_request")),
    Row(K.SERVER, range(200, 300)),  # an error inside a 200 that nothing above knows: the provider broke off
)  # fmt: skip


def kind_of(status: int, words: frozenset[str], prose: str, *, refused: bool) -> K:
    """The kind of the first row that fits. `words` and `prose` are lower case; `refused`: `x-should-retry: false` came."""
    for row in ROWS:
        if status not in row.statuses or (row.refused and not refused):
            continue
        if not row.words and not row.phrases:
            return row.kind
        if not words.isdisjoint(row.words) or any(_holds(prose, phrase) for phrase in row.phrases):
            return row.kind
    return K.BAD_RESPONSE  # no HTTP status at all: 1xx, 6xx


def _holds(prose: str, phrase: str) -> bool:
    """Whether the pieces of `phrase`, parted by "…", stand in `prose` in this order."""
    at = 0
    for piece in phrase.split("…"):
        at = prose.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return True
