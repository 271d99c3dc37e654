"""The router: plan, rank, ask, fall back. `Router.stream` is the only way in, and tells all that happens as events.

events.py    what a request tells, in order
planning.py  from a request to an order
progress.py  one request under way, and what the history keeps of it
bill.py      what it costs, however it ends
asking.py    one attempt under way: admitted, timed, its answer as it grows
costs.py     what an attempt will probably cost, and what is booked for it
endings.py   how it ends that does not end in a whole answer
course.py    what is decided and booked on the way, and nothing that waits
race.py      a second attempt beside a late one, until one of them speaks
loop.py      the only loop
cached.py    the answer cache before it
"""

from llmr.router.bill import Bill
from llmr.router.events import (
    Answering,
    AttemptFailed,
    AttemptStarted,
    BrokeOff,
    Decided,
    Event,
    Finished,
    Found,
    LookedUp,
    Outpaced,
    Waiting,
)
from llmr.router.loop import Router

__all__ = [
    "Answering",
    "AttemptFailed",
    "AttemptStarted",
    "Bill",
    "BrokeOff",
    "Decided",
    "Event",
    "Finished",
    "Found",
    "LookedUp",
    "Outpaced",
    "Router",
    "Waiting",
]
