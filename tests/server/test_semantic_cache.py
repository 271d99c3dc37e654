"""The semantic cache over a socket: a prompt that is nearly the same, and agrees, gets the answer; any other is asked."""

import json
import math

import pytest
from served import eventually

from llmr.lab import Behavior, LabProvider

ON = '[cache]\nenabled = true\n[cache.semantic]\nenabled = true\nmodel = "vectors/embedder"\n'


def embedding(_n, request) -> Behavior:
    """Vectors by the number of "please" in the text: 1° apart for each, so that one more is .9998 alike, and sixty are .5."""
    (text,) = request.json["input"]
    angle = math.radians(text.count("please"))
    row = {"object": "embedding", "index": 0, "embedding": [math.cos(angle), math.sin(angle)]}
    body = {"data": [row], "usage": {"prompt_tokens": 3, "total_tokens": 3}}
    return Behavior(body=json.dumps(body).encode(), content_type="application/json")


def rigged(serve, extra: str = "", vectors=embedding):
    chat = LabProvider("chat", lambda n, _: Behavior(text=f"answer {n}"))
    embedder = LabProvider("vectors", vectors)
    served = serve(chat, embedder, extra=ON + extra)
    return served, chat, embedder


def ask(served, said, **more):
    reply = served.chat(said, **more)
    return reply.headers.get("x-llmr-cache"), reply.json()["choices"][0]["message"]["content"]


def test_what_is_nearly_the_same_and_agrees_gets_the_kept_answer(serve):
    served, chat, embedder = rigged(serve)
    assert ask(served, "tell me of a fox") == ("miss", "answer 1")
    assert ask(served, "tell me of a fox, please") == ("hit", "answer 1")
    assert ask(served, "tell me of a fox") == ("hit", "answer 1")
    assert len(chat.requests) == 1
    assert len(embedder.requests) == 2  # the same request needs no vector
    counts = served.on_loop(lambda: (served.app.cached.store.close(), served.app.cached.store.counts())[1])
    assert (counts.hits, counts.semantic_hits, counts.misses) == (1, 1, 1)


def test_what_is_far_or_turns_the_sense_around_is_asked(serve):
    served, _, _ = rigged(serve)
    ask(served, "is it safe to send 10 USD")
    for said in (
        "is it safe to send 100 USD",
        "is it unsafe to send 10 USD",
        "is it not safe to send 10 USD",
        "is it safe to send 10 EUR",
        "is it safe to send `10` USD",
        "is it safe to send 10 USD" + " please" * 60,
    ):
        assert ask(served, said)[0] == "miss", said


ADVERSARIAL = [
    ("convert 10 USD to EUR", "convert 100 USD to EUR"),
    ("is it safe", "is it unsafe"),
    ("it is allowed", "it is not allowed"),
    ("who is Ada Lovelace", "who is Ada Byron"),
    ("can i take aspirin with it", "can i take ibuprofen with it"),
    ("run `rm -r x`", "run `rm -rf x`"),
    ("git push", "git push --force"),
    ("der Hund beisst den Mann", "den Mann beisst der Hund"),
    ("это безопасно", "это небезопасно"),
]


@pytest.mark.parametrize(("one", "other"), ADVERSARIAL)
def test_whatever_an_embedder_says_another_question_is_asked(serve, one, other):
    """Of a provider to whose model everything is one and the same."""

    def same(_n, request):
        rows = [
            {"object": "embedding", "index": n, "embedding": [1.0, 1e-6]} for n, _ in enumerate(request.json["input"])
        ]
        body = {"data": rows, "usage": {"prompt_tokens": 3, "total_tokens": 3}}
        return Behavior(body=json.dumps(body).encode(), content_type="application/json")

    served, chat, _ = rigged(serve, vectors=same)
    assert ask(served, one) == ("miss", "answer 1")
    assert ask(served, other) == ("miss", "answer 2")
    assert ask(served, f"please {one}") == ("hit", "answer 1")
    assert len(chat.requests) == 2


def test_another_system_prompt_model_or_sampling_is_another_question(serve):
    served, _, _ = rigged(serve)
    ask(served, "tell me of a fox")
    assert ask(served, "tell me of a fox, please", temperature=0.5)[0] == "miss"
    said = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "tell me of a fox, please"}]
    assert ask(served, "", messages=said)[0] == "miss"


@pytest.mark.parametrize(
    "broken", [Behavior(status=500), Behavior(body=b'{"data":[{"embedding":["a"]}]}'), Behavior(body=b"{}")]
)
def test_without_vectors_the_request_is_asked_all_the_same(serve, broken):
    served, _, _ = rigged(serve, vectors=[broken])
    assert ask(served, "tell me of a fox") == ("miss", "answer 1")
    assert ask(served, "tell me of a fox") == ("hit", "answer 1")
    assert ask(served, "tell me of a fox, please")[0] == "miss"


def test_what_a_rule_keeps_at_home_is_sent_to_nobody_for_its_vector(serve):
    rule = '[[rules]]\nname = "home"\nwhen = { tags = ["private"] }\nonly = ["chat/*"]\n'
    served, _, embedder = rigged(serve, rule)
    private = {"x-llmr-tags": "private"}
    assert ask(served, "my secret", headers=private)[0] == "miss"
    assert ask(served, "my secret, please", headers=private)[0] == "miss"
    assert embedder.requests == ()
    ask(served, "a fox", headers={"x-llmr-provider": "chat"})
    assert embedder.requests == ()


def test_nothing_is_embedded_where_nothing_is_to_be_cached(serve):
    served, _, embedder = rigged(serve)
    ask(served, "tell me of a fox", headers={"x-llmr-cache": "false"})
    assert embedder.requests == ()
    ask(served, "tell me of a fox")
    (asked,) = eventually(lambda: embedder.requests)
    assert asked.json == {"model": "embedder", "input": ["tell me of a fox"], "encoding_format": "float"}
