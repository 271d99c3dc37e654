"""The provider registry: what is known of providers, over a state store. `ProviderRegistry` is the only way in.

registry.py   snapshot, admit, first_token, renew, report, and what people do by hand
admission.py  leave to try, as one step of the store
results.py    what one result does to the rows
books.py      when what is written
unwritten.py  leave to try while nothing can be written
keys.py       under which key each row stands
calendar.py   which day it is where the user is
status.py     a model's past for people
values.py     what passes between router and registry
"""

from llmr.registry.books import HISTOGRAM_DAYS, Later
from llmr.registry.registry import ProviderRegistry
from llmr.registry.results import DAY_S
from llmr.registry.values import Attempt, ModelStatus, Permit

__all__ = ["DAY_S", "HISTOGRAM_DAYS", "Attempt", "Later", "ModelStatus", "Permit", "ProviderRegistry"]
