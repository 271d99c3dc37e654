"""What a client may mend is said in words that a person understands, with the way to what was meant."""

import os
import subprocess

from served import LLMR, eventually

from llmr.lab import LabProvider
from llmr.server.run import Options


def told(reply):
    assert reply.status_code == 400, reply.text
    return reply.json()["error"]["message"]


def test_no_messages_are_said_to_be_none(serve):
    served = serve(LabProvider("a"))
    for reply in (served.chat(messages=[]), served.message(messages=[])):
        assert told(reply) == "messages: is empty"


def test_several_answers_at_once_are_refused_with_what_to_do_instead(serve):
    assert "ask several times" in told(serve(LabProvider("a")).chat(n=3))


def test_a_wrong_type_is_said_without_the_library_s_words(serve):
    assert told(serve(LabProvider("a")).chat(stream="yes")) == "stream: must be a valid boolean"


def test_an_unknown_field_passes_where_the_user_said_so_and_only_there(serve):
    lab = LabProvider("a")
    served = serve(lab, options=Options(port=0, passes=("guided_json",)))
    assert served.chat(guided_json={"type": "object"}).status_code == 200
    assert lab.requests[-1].json["guided_json"] == {"type": "object"}
    assert "--pass NAME" in told(served.chat(guided_jason={}))
    assert "--pass" not in told(served.message(guided_json={}))


def test_a_field_that_llmr_reads_cannot_be_passed_unread(start, tmp_path):
    done = subprocess.run(
        [LLMR, "serve", "--pass", "messages"],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "--pass messages: llmr reads this field itself" in done.stderr


def test_rank_takes_hints_in_its_query_as_well(serve):
    served = serve(LabProvider("a"), LabProvider("b"))
    assert served.get("/v1/rank?model=m&strategy=cost").json()["strategy"] == "cost"
    assert (
        served.get("/v1/rank?model=m&strategy=cost", **{"x-llmr-strategy": "latency"}).json()["strategy"] == "latency"
    )
    assert told(served.get("/v1/rank?model=m&strategy=cheap")).startswith("strategy: takes ")


def test_models_lists_what_can_be_asked_and_the_rest_on_demand(serve):
    served = serve(
        LabProvider("a"), provider_extra='[models.later]\ncandidates = ["openai/gpt-4o"]'
    )  # no key for it here
    ids = [one["id"] for one in served.get("/v1/models").json()["data"]]
    assert "m" in ids
    assert "later" not in ids
    assert "later" in [one["id"] for one in served.get("/v1/models?all=true").json()["data"]]
    assert "later" not in served.get("/v1/status").json()["names"]
    assert served.get("/v1/models/later").status_code == 200


def test_a_start_without_any_key_says_so_in_one_line(tmp_path):
    running = subprocess.Popen(
        [LLMR, "serve", "--port", "0"],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert eventually(
            lambda: running.stderr.readline().startswith("llmr: no provider is ready yet: `llmr keys set openai`")
        )
    finally:
        running.terminate()
        running.communicate(timeout=30)
