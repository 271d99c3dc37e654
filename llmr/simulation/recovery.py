"""How soon a provider has its traffic back after an incident (goal G6)."""

from collections import deque
from collections.abc import Sequence
from typing import Final

from llmr.simulation.run import Served

WINDOW_S: Final = 60.0
LEAST_REQUESTS: Final = 5


def back_after_s(served: Sequence[Served], provider: int, end_s: float) -> float | None:
    """Seconds from `end_s` until `provider` is asked first for more than half of the requests of the last WINDOW_S.

    None: not before the end of the run. `served` is in the order of arrival.
    """
    window: deque[Served] = deque()
    for one in served:
        window.append(one)
        while window[0].at_s < one.at_s - WINDOW_S:
            window.popleft()
        if one.at_s < end_s:
            continue
        asked = sum(each.asked_first == provider for each in window)
        if len(window) >= LEAST_REQUESTS and asked > len(window) / 2:
            return one.at_s - end_s
    return None
