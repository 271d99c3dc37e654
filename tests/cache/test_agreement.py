"""The guard of the semantic cache: what turns an answer around must be the same, whatever the vectors say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmr.cache.agreement import agree

APART = [
    # numbers
    ("Convert 10 USD to EUR", "Convert 100 USD to EUR"),
    ("Convert 10 USD to EUR", "Convert 10 EUR to USD"),
    ("What is 2 + 3?", "What is 3 + 2 + 2?"),
    ("What is 5 - 3?", "What is 3 - 5?"),
    ("a dose of 5 mg", "a dose of 5 g"),
    ("a dose of 5 mg", "a dose of 5 mcg"),
    ("is it -5 outside", "is it 5 outside"),
    ("raise it by 5%", "raise it by 5"),
    ("$5 or more", "€5 or more"),
    ("it costs 1.5", "it costs 15"),
    ("version 3.11", "version 3.12"),
    ("at 10:30", "at 10:03"),
    ("on 2026-01-02", "on 2026-02-01"),
    ("name three rivers", "name four rivers"),
    ("name two rivers", "name twenty rivers"),
    ("who came first", "who came second"),
    ("the 2nd of May", "the 3rd of May"),
    ("half the dose", "double the dose"),
    # negations and turns
    ("Is it safe to mix them?", "Is it unsafe to mix them?"),
    ("this is allowed", "this is not allowed"),
    ("this is legal", "this is illegal"),
    ("He is here", "He isn't here"),
    ("You can do it", "You can't do it"),
    ("you should", "you shouldn’t"),
    ("with sugar", "without sugar"),
    ("is it possible", "is it impossible"),
    ("a regular file", "an irregular file"),
    ("they agree", "they disagree"),
    ("a violent film", "a nonviolent film"),
    ("harmful", "harmless"),
    ("what to do before surgery", "what to do after surgery"),
    ("prices go up", "prices go down"),
    ("increase the volume", "decrease the volume"),
    ("sort ascending", "sort descending"),
    ("the largest city", "the smallest city"),
    ("enable the firewall", "disable the firewall"),
    ("always do this", "never do this"),
    ("all of them", "some of them"),
    ("is this true", "is this false"),
    ("buy shares", "sell shares"),
    ("hypertension", "hypotension"),
    ("hyperglycemia signs", "hypoglycemia signs"),
    ("turn it on", "turn it off"),
    ("from Paris to Rome", "to Paris from Rome"),
    ("all but the last", "all and the last"),
    # names
    ("the capital of France", "the capital of Spain"),
    ("who is Ada Lovelace", "who is Ada Byron"),
    ("how do I use AWS", "how do I use GCP"),
    ("translate to German", "translate to French"),
    ("mail bob@x.org", "mail eve@x.org"),
    ("open /etc/passwd", "open /etc/shadow"),
    ("what is max_tokens", "what is max_length"),
    ("about iPhone cases", "about iPad cases"),
    ("does Anna love Bob", "does Bob love Anna"),
    ('spell "there"', 'spell "their"'),
    ("define 'affect'", "define 'effect'"),
    # code
    ("what does `a < b` do", "what does `a > b` do"),
    ("explain ```x = 1```", "explain ```x = 2```"),
    ("fix this:\nfor i in range(n):\n    print(i)", "fix this:\nfor i in range(n):\n    print(n)"),
    ("run\n$ rm -r x", "run\n$ rm -rf x"),
    ("SELECT a FROM t", "SELECT b FROM t"),
    ("f(x) = x", "f(x) = y"),
    # asking words
    ("when did it happen", "where did it happen"),
    ("how many are there", "how much is there"),
    ("who did it", "why did it"),
    # order
    ("does the dog bite the cat", "does the cat bite the dog"),
    ("turn dollars into euros", "turn euros into dollars"),
    # other scripts stand as they are
    ("это безопасно", "это небезопасно"),
    ("这很安全", "这不安全"),
    ("東京の天気", "大阪の天気"),
]
TOGETHER = [
    ("What is the capital of France?", "what is the capital of France"),
    ("Please tell me the capital of France", "Tell me the capital of France please"),
    ("Convert 10 USD to EUR", "convert 10 USD to EUR, please"),
    ("How do I boil an egg?", "How do I boil eggs?"),
    ("explain photosynthesis", "Explain photosynthesis simply"),
    ("it costs 1,000 dollars", "it costs 1000 dollars"),
    ("name three rivers", "name 3 rivers"),
    ("what does `a < b` do?", "what does `a < b` do here?"),
    ("He isn’t here", "He isn't here"),
    ("I'm hungry", "i'm hungry"),
    ("Summarise the text", "Summarize the text"),
]


@pytest.mark.parametrize(("one", "other"), APART)
def test_what_turns_the_answer_around_keeps_two_prompts_apart(one, other):
    assert not agree(one, other)
    assert not agree(other, one)


@pytest.mark.parametrize(("one", "other"), TOGETHER)
def test_what_is_only_said_otherwise_does_not(one, other):
    assert agree(one, other)
    assert agree(other, one)


@given(st.text(), st.text())
def test_it_is_symmetric_and_every_text_agrees_with_itself(one, other):
    assert agree(one, one)
    assert agree(one, other) == agree(other, one)


@given(st.text(alphabet="abc xyz.,", max_size=30), st.integers(0, 999), st.integers(0, 999))
def test_another_number_anywhere_is_another_prompt(text, one, other):
    assert agree(f"{text} {one} {text}", f"{text} {other} {text}") == (one == other)
