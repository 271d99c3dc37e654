"""The texts of `llmr help`."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from llmr.cli.exit_codes import ExitCode
from llmr.cli.help_topics import TOPICS
from llmr.cli.pager import print_paged
from llmr.cli.screen import screen
from llmr.errors import UsageError

MEANINGS: Final[Mapping[ExitCode, str]] = MappingProxyType(
    {
        ExitCode.OK: "a whole answer on stdout",
        ExitCode.UNEXPECTED: "unexpected: a bug",
        ExitCode.USAGE: "usage, or input that cannot be used",
        ExitCode.NOT_CONFIGURED: "not configured, configuration invalid or not trusted",
        ExitCode.NO_KEY: "key missing or rejected by every candidate",
        ExitCode.ALL_DOWN: "all providers down: 5xx, network, bad answers, circuits open",
        ExitCode.RATE_LIMITED: "rate-limited or out of quota everywhere (retry_after_s is set where known)",
        ExitCode.TIMEOUT: "time-out: connect, first token, stall or deadline",
        ExitCode.PARTIAL: "partial answer: the stream broke; what came is on stdout",
        ExitCode.REJECTED: "rejected by all: too long, bad parameters, schema not met",
        ExitCode.CONTENT_FILTER: "refused by a content policy",
        ExitCode.BUDGET: "budget or price cap reached",
        ExitCode.OUTPUT: "output or file could not be written",
        ExitCode.HANGUP: "ended by SIGHUP",
        ExitCode.INTERRUPTED: "ended by Ctrl-C (SIGINT); what came is on stdout",
        ExitCode.CLOSED_PIPE: "the reader of stdout went away",
        ExitCode.TERMINATED: "ended by SIGTERM",
    }
)

_JSON: Final = """\
llmr chat --json writes one document, llmr.chat/1, on stdout, a failure included. Keys are added, never changed:
  schema, id, conversation_id, text, model, provider, finish_reason
  usage {input, output, reasoning, cached}   tokens; null: the provider did not say
  cost_usd, estimated_usd                    of all attempts, failed and interrupted ones included; null: unknown.
                                             estimated_usd: the part of it that no provider counted
  timing_ms {total, first_token}
  attempts [{provider, model, outcome, http, ms, ttft_ms, hedge, error}]   hedge: it was a second one beside a late one
  fallback                                   the answer is not from the first who was asked
  cached                                     null, or {age_s, likeness}: nobody was asked; likeness null: the same request
  partial                                    text came, and then the stream broke
  error                                      null, or {kind, message, exit_code, retry_after_s, hint}
  reasoning, refusal, tool_calls             where the answer has them

llmr chat --jsonl writes llmr.events/1, a line per event, each with t_ms since the start:
  start {schema, id, asked, candidates} · attempt {number, provider, model, probe, hedge}
  wait {s, within_s, reason}                 one a wait: the next look is after s, the wait lasts within_s at most
  cached {provider, model, age_s, likeness}
  fallback {number, provider, model, outcome, http, ms, error, retry_after_s, then}   then: next, restart, continue
  reasoning {text} · delta {text} · usage {input, output, reasoning, cached}
  end | error                                the document above without the words that went out before

llmr chat --compare A,B --json, and --n N --json: llmr.compare/1
  answers [{title, …}]                       each as chat --json has it, in the order of the names

llmr rank --json: llmr.rank/1
  model, strategy, prompt_tokens, explored
  ranked [{place, candidate, provider, model, name, tier, favour, index_s, terms_s, price_usd, expected}]
    terms_s {first_token, reading, failure_risk, tail, price, quality}   they add up to index_s
    expected {p50_s, p95_s, success, tokens_per_s, samples, outcomes}    samples 0: no time was measured; outcomes 0: no success
  rejected [{candidate, barrier, reason, retry_at}]
  flips {winner, margin_s, others [{candidate, margin_s, p50_below_s, input_usd_below, output_usd_below,
    price_unknown}]} or null                 price_unknown: a known price below that would do
  rules [{rule, matched, because, unmet, effects}]   unmet {condition, wanted, actual} or null; effects: what it did
  error                                      null, or as in llmr.chat/1 what chat would end with now; kind denied: a rule

llmr providers status --json and list --json: llmr.providers/1
  providers [{name, on, off_reason, wire, base_url, local, budget, models}]   the last two in status only
    budget {requests, retries, hedges, fallbacks, retries_left, hedges_left}   of requests that began with it, all told
    models [{model, circuits, attempts, success, p50_s, p95_s, fitted, last_error, last_error_at, spent_7d_usd, recent}]
      fitted                                    p50_s and p95_s are a fit: the last 7 days hold fewer than 50 answers
      circuits [{scope, state, forced, cause, why, failures_in_a_row, trips, remaining_s}]
      recent [{at, outcome, ttft_s, total_s}]   the last 40 attempts of 7 days, oldest first

llmr explain --json: llmr.explain/1
  id, at, asked_model, strategy, outcome, provider, model, total_s, ttft_s
  cost_usd                                  of all attempts; null: unknown
  decision {prompt_tokens, explored, rules, ranked, rejected, flips}   as in llmr.rank/1; null: not kept
  attempts [{after_s, waited_s, provider, model, outcome, http, code, ttft_s, total_s, input_tokens, output_tokens,
    cost_usd, cost_estimated, hedge, probe}]   in the order in which they began

llmr stats --json: llmr.stats/1; times are seconds since 1970, durations seconds
  since, until, by, requests, answered, answered_by_fallback
  total {attempts, whole, failures {kind: n}, p50_s, p95_s, tokens_per_s, input_tokens, output_tokens, spent_usd, unpriced}
  groups [{model | provider | day | hour, …}]   as total
  slot_s, slots [{at, attempts, whole, p50_s, spent_usd}]
  first_token_histogram [{above_s, up_to_s, count}]
  days [{day, spent_usd, attempts}]

llmr simulate --json: llmr.simulate/1
  strategy, second_is_worth_usd             the configured ones, or --strategy
  scenes [{scene, about, seeds, strategy, policies}]   strategy: by which llmr ranked there
    policies [{policy, requests, mean_s, p50_s, p99_s, p999_s, extra_per_1000, success, waste_share, usd_per_1000,
        over_budget, cost_and_wait_usd_per_1000}]
      seconds to the first token, a failed request counted as 60; shares 0-1; usd_per_1000 requests; over_budget requests
      were refused by a spend limit or price cap; cost and wait: usd_per_1000 + 1000 · mean_s · second_is_worth_usd
llmr simulate --list --json: llmr.simulate.list/1   worlds [{world, about, duration_s, requests}], policies [{policy, about}]

llmr providers probe --json: llmr.probe/1
  probes [{provider, model, asked, ok, http, kind, ttft_ms, ms, cost_usd, estimated, error}]
                                             asked false: nothing was sent; estimated: the cost is, by length
  not_up [name]                             local servers that are not up, and providers without a model to ask for

llmr models --json: llmr.models/1
  table {made, sources}, names [{name, candidates}], models [{name, provider, model, on, off_reason, context_window_tokens,
    max_output_tokens, tools, images, json, reasoning, documents, audio, price, price_from, quality}]

llmr log --json: llmr.log/1
  conversations [{id, title, began_at, at, turns, failed, provider, model, outcome,
    cost_usd, estimated_usd}]
llmr log QUERY --json: llmr.search/1   query, hits [{id, title, number, at, snippet}]
llmr log show --json: llmr.conversation/1
  id, title, turns [{number, parent, at, outcome, partial, asked_model, provider, model, request_id, system, prompt, answer,
    messages, usage, cost_usd, estimated_usd, timing_ms}]
llmr templates --json: llmr.templates/1   templates [{name, model, places, prompt} or {name, error}]

llmr cache stats --json: llmr.cache/1
  entries, bytes, hits, semantic_hits, misses, kept, evicted, saved_usd, oldest_at, hit_rate

llmr keys list --json, keys test --json: llmr.keys/1; no document holds a key
  keys [{provider, variable, source, fingerprint, off_reason}]   source: variable, command, keyring or file
  missing [variable], unused [variable]
  tests [{provider, variable, outcome, http, ms, models, error}]   outcome: ok, rejected, unclear, down or no_key

llmr config check --json: llmr.check/1
  ok, files, errors [{file, line, key, message, suggestion}], more   ok false: the exit code is 3; more: errors left out
  providers, providers_on, rules, notices    where ok; a notice is of what is ignored or unfit, and no error

llmr config show --json: llmr.config/1
  settings [{key, value, scope, where}]     scope: known, shipped, user, given, project or environment

GET /v1/status of llmr serve: llmr.status/1, which is llmr.providers/1 and, for the page at /
  version, now, under_way, spent_1d_usd, names, default_model
  decisions [{id, ago_s, asked, strategy, outcome, by, cached, ttft_s, total_s, rules, explored, ranked, rejected, tried}]

llmr doctor --json: llmr.doctor/1
  ok                                        false: the exit code is 3
  findings [{section, name, verdict, text, mend}]   verdict: fine, note, warn or bad"""

_WORLDS: Final = """\
# A world of your own, for `llmr simulate -w FILE.toml`: this text is a whole one. Times are seconds since it begins, at
# midnight on a Monday. What routing.toml says of providers and models of the same names holds here: limits, budgets,
# time-outs, strategies, rules.
name = "bad monday"               # left out: the file's name
about = "the fast one goes down, then the other is slow"
duration_s = 900
model = "gpt-4o"                  # what is asked for, as rules see it; left out: "simulated"

[arrivals]                        # left out: per_s = 0.5
per_s = 0.5                       # at random; or in bursts: gap_s = 900, prompts = 8, spacing_s = 20

[[providers]]                     # in your order
name = "openai"
model = "gpt-4o-2024-11-20"       # its id there, as rules see it; left out: "model"
median_s = 0.5                    # to the first token
spread = 0.4                      # σ of its logarithm; left out: 0.5
failure = 0.01                    # the share of attempts that fail; left out: 0.01
hang_share = 0.2                  # of the failures, those that never answer; left out: 0.2
usd_per_1000 = 4                  # requests

[[providers]]
name = "groq"
median_s = 1.1
usd_per_1000 = 1.5

[[incidents]]                     # as many as you like; they may overlap
providers = ["openai"]
kind = "down"                     # down: fails at once · hang: never answers
start_s = 200
end_s = 500

[[incidents]]
providers = ["groq"]
kind = "slow"                     # factor · errors: share = 0.4 · flap: period_s = 40 (down for half of it)
factor = 6                        # rate: per_minute = 6, burst = 3, retry_after_s = 20
start_s = 600
end_s = 700"""

_ENV: Final[Mapping[str, str]] = MappingProxyType(
    {
        "LLMR_CONFIG": "a routing.toml to use, as --config; it stands alone",
        "LLMR_<KEY>": "any setting of routing.toml, with __ between the levels: LLMR_TIMEOUTS__DEADLINE_S=20",
        "LLMR_COLOR": "auto, always or never; over NO_COLOR and FORCE_COLOR",
        "LLMR_DEBUG": "1: a traceback for what is unexpected",
        "LLMR_EDITOR": "the editor, over VISUAL and EDITOR; it gets no keys",
        "LLMR_LOG": "off: no history of requests is kept",
        "LLMR_OTEL": "1: `llmr serve` sends spans by OpenTelemetry, whose own OTEL_… variables say where to",
        "LLMR_PAGER": "over PAGER, else less -F -R -X: for long views on a terminal; it gets no keys; cat or nothing: none",
        "LLMR_SAVE": "0: conversations are not saved",
        "LLMR_SERVE_TOKEN": "what clients of `llmr serve` must show",
        "OPENAI_API_KEY, ANTHROPIC_API_KEY, …": "keys; `llmr keys list` names each provider's variable",
        "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY": "as everywhere; loopback is never proxied",
        "SSL_CERT_FILE": "certificate authorities in place of the usual ones",
        "NO_COLOR, FORCE_COLOR, TERM, COLUMNS": "as everywhere; TERM=dumb: no escapes, no repainting",
        "XDG_CONFIG_HOME, XDG_STATE_HOME, XDG_CACHE_HOME, XDG_DATA_HOME": "where files are kept; a relative one is ignored",
    }
)


def variables() -> Iterator[tuple[str, str]]:
    """Every variable that llmr obeys, and what it does."""
    yield from _ENV.items()


def run_help(topic: str) -> int:
    """Print one topic; "": what topics there are. Raises UsageError."""
    print_paged("\n".join(_topic(topic)), screen(), None)
    return int(ExitCode.OK)


def _topic(topic: str) -> Iterator[str]:
    match topic:
        case "":
            yield "llmr help TOPIC"
            yield from (f"    {name:<12}{about}" for name, about in TOPICS.items())
            yield "llmr help COMMAND, which is llmr COMMAND --help; `llmr --help` lists the commands"
        case "exit-codes":
            yield from (f"{int(code):>3}  {MEANINGS[code]}" for code in ExitCode)
        case "json":
            yield _JSON
        case "worlds":
            yield _WORLDS
        case "env":
            for name, text in variables():
                yield from (name, f"    {text}")
        case _:
            raise UsageError(f"no help on {topic!r}; known: {', '.join(TOPICS)}, and every command")
