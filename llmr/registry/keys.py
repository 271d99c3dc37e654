"""Under which key each row stands.

    b:p:ACCOUNT  b:m:ACCOUNT/MODEL  b:s:SHARE    circuits: the account, the model at it, the quota it shares
    l:  l:PROVIDER  l:PROVIDER/MODEL  …|CLASS    latency, from everything down to the class
    r:p:ACCOUNT  r:s:SHARE                       rate limits that are configured
    w:ACCOUNT/MODEL  w:s:SHARE/MODEL             rate limits that the provider tells
    q:ACCOUNT                                    retry and hedge budget
    $:MONTH  $:MONTH:PROVIDER                    dollars spent; by provider, whatever its key
    t:PROVIDER/MODEL  h:DAY:PROVIDER/MODEL       counts, and a day's histogram, for people

ACCOUNT carries 8 hex digits of the API key's hash, so that a new key starts with a clean record.
"""

from collections.abc import Mapping
from typing import Final

from llmr.catalog import Model, Provider
from llmr.routing.circuit import BreakerState
from llmr.routing.health import Circuit
from llmr.routing.latency import latency_class
from llmr.state import Row

EVERYTHING: Final = "l:"


def klass(model: Model, *, streamed: bool, prompt_tokens: int, reasoning: bool) -> str:
    """The latency class of a request to `model`."""
    thinks = reasoning or model.capabilities.reasoning is True
    return latency_class(streamed=streamed, prompt_tokens=prompt_tokens, reasoning=thinks)


def account(provider: Provider) -> str:
    """The circuit of a provider's account."""
    return f"b:p:{provider.account}"


def shared(share: str) -> str:
    """The circuit of a quota that several providers share."""
    return f"b:s:{share}"


def circuits(model: Model) -> dict[str, str]:
    """The keys of every circuit a model passes, with what people call them; outermost first."""
    provider = model.provider
    found = {
        account(provider): f"provider {provider.name}",
        f"b:m:{provider.account}/{model.id}": model.key,
    }
    if provider.shares is not None:
        found[shared(provider.shares)] = f"shared quota {provider.shares}"
    return found


def circuits_in(model: Model, rows: Mapping[str, Row]) -> tuple[Circuit, ...]:
    """The circuits a model passes, as `rows` have them."""
    return tuple(Circuit(label, BreakerState.from_row(rows.get(key))) for key, label in circuits(model).items())


def latency(model: Model, klass: str) -> list[str]:
    """Everything, provider, model, class: the rows that learn from an attempt. The first one only counts requests: a model
    is judged by the others, for what strangers do is no evidence (routing/estimate.py)."""
    provider = model.provider.name
    return [EVERYTHING, f"l:{provider}", f"l:{provider}/{model.id}", f"l:{provider}/{model.id}|{klass}"]


def limiter(provider: Provider) -> str:
    """The configured rate limit of an account, or of the quota it shares."""
    return f"r:s:{provider.shares}" if provider.shares is not None else f"r:p:{provider.account}"


def told_limits(model: Model) -> str:
    """The limits that a provider tells for a model, which are those of the quota it shares."""
    return f"{told_limits_of(model.provider)}{model.id}"


def told_limits_of(provider: Provider) -> str:
    """What the keys of all limits begin with that a provider tells."""
    return f"w:s:{provider.shares}/" if provider.shares is not None else f"w:{provider.account}/"


def purse(month: str) -> str:
    """What all providers cost in a month such as "2026-11"."""
    return f"$:{month}"


def own_purse(provider: Provider, month: str) -> str:
    """What one provider costs in a month."""
    return f"$:{month}:{provider.name}"


def budget(provider: Provider) -> str:
    """The retry and hedge budget of an account."""
    return f"q:{provider.account}"


def tally(model: Model) -> str:
    """What people are shown of a model."""
    return f"t:{model.key}"


def day(model: Model, number: int) -> str:
    """A day's histogram; days are counted from the epoch, UTC."""
    return f"h:{number}:{model.key}"


def day_of(key: str) -> int:
    """The day of a histogram's key; −1, which is before every other, for a key that names none."""
    number = key.split(":")[1]
    return int(number) if number.isdecimal() and len(number) < 9 else -1
