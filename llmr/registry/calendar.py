"""Which day it is where the user is: spend limits are per local day and month."""

import time

from llmr.routing.spending import Today


def local_day(now: float) -> Today:
    """The local date at wall-clock `now`, and when it and its month end. Daylight saving is the C library's business."""
    at = time.localtime(now)
    tomorrow = time.mktime((at.tm_year, at.tm_mon, at.tm_mday + 1, 0, 0, 0, 0, 0, -1))
    next_month = time.mktime((at.tm_year, at.tm_mon + 1, 1, 0, 0, 0, 0, 0, -1))
    return Today(f"{at.tm_year:04}-{at.tm_mon:02}", at.tm_mday, tomorrow, next_month)
