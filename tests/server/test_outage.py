"""Every provider is down, and many ask at once: nobody queues, and everybody is told when to come back."""

from concurrent.futures import ThreadPoolExecutor

from llmr.lab import Behavior, LabProvider

MANY = 40
AT_ONCE = 10


def test_of_many_before_dead_providers_few_wait_a_share_is_turned_away_and_all_are_told_when_to_come_back(serve):
    """It took most of a minute each, one behind the other, and nobody was turned away."""
    dead = [LabProvider(name, lambda n, _: Behavior(status=500)) for name in ("a", "b")]
    served = serve(*dead, extra="[timeouts]\ndeadline_s = 6")
    with ThreadPoolExecutor(AT_ONCE) as crowd:
        told = list(crowd.map(lambda _: served.chat(), range(MANY)))
    assert {answer.status_code for answer in told} == {503}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in told)
    assert all(int(answer.headers["retry-after-ms"]) >= 1000 for answer in told)
    reasons = [answer.json()["error"]["message"] for answer in told]
    turned_away = sum("turned away unasked" in reason for reason in reasons)
    sent_away = sum("another request waits" in reason for reason in reasons)
    assert turned_away >= 1
    assert sent_away >= 1
    assert turned_away + sent_away >= MANY / 2, reasons
