"""The guard of the semantic cache: what turns an answer around must be the same, whatever the vectors say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmr.cache.agreement import agree

APART = [
    # one and many, articles that are letters, words that stand for each other in one trade and not in another
    ("what are securities?", "what is security?"),
    ("explain damages in contract law", "explain damage in contract law"),
    ("vitamin a deficiency symptoms", "vitamin deficiency symptoms"),
    ("list the symptoms of hepatitis a", "list the symptoms of hepatitis"),
    ("blood type a diet", "blood type diet"),
    ("remove the file from git", "delete the file from git"),
    ("how do I select rows in sql", "how do I pick rows in sql"),
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
    # words in lower case that are names, and whatever else no list would have
    ("can I take aspirin with it", "can I take ibuprofen with it"),
    ("is paracetamol safe for dogs", "is paracetamol safe for cats"),
    ("paris weather", "london weather"),
    ("what is the capital of france", "what is the capital of spain"),
    ("Define affect", "Define effect"),
    ("Explain tcp", "Explain udp"),
    ("henry vii", "henry viii"),
    ("see you monday", "see you tuesday"),
    ("at 5 in the morning", "at 5 in the evening"),
    ("yesterday's news", "tomorrow's news"),
    ("a weekly report", "a daily report"),
    ("symptoms of flu", "treatment of flu"),
    ("the employer's duties", "the employee's duties"),
    ("the benefits of it", "the risks of it"),
    ("cut the red wire", "cut the blue wire"),
    ("a typical case", "an atypical case"),
    ("upload a file", "download a file"),
    ("is it contagious", "is it curable"),
    ("10 dollars", "10 cents"),
    ("in 10 days", "in 10 weeks"),
    ("5 grams of it", "5 kilograms of it"),
    ("the tenth row", "the eleventh row"),
    ("a few errors", "few errors"),
    ("a and b", "a or b"),
    ("would you lie", "could you lie"),
    ("explain photosynthesis", "Explain photosynthesis simply"),
    ("answer in json", "answer in yaml"),
    # options, signs, pictures
    ("git push", "git push --force"),
    ("grep -v", "grep -i"),
    ("ls -l", "ls -a"),
    ("!important", "important"),
    ("a+b", "a-b"),
    ("a → b", "a ← b"),
    ("rate it 👍", "rate it 👎"),
    ("x²", "x³"),
    ("½ cup", "¼ cup"),
    ("a board of 5'", 'a board of 5"'),
    ("my résumé", "my resume"),
    # other languages
    ("das ist gut", "das ist nicht gut"),
    ("mit Zucker", "ohne Zucker"),
    ("c'est bon", "ce n'est pas bon"),
    ("avec sucre", "sans sucre"),
    ("es bueno", "es malo"),
    ("con azúcar", "sin azúcar"),
    ("ez biztonságos", "ez nem biztonságos"),
    ("nunca", "siempre"),
    # other scripts
    ("هل هو آمن", "هل هو غير آمن"),
    ("это безопасно", "это небезопасно"),
    ("这很安全", "这不安全"),
    ("東京の天気", "大阪の天気"),
]
TOGETHER = [
    ("What is the capital of France?", "what is the capital of France"),
    ("Please tell me the capital of France", "Tell me the capital of France please"),
    ("Convert 10 USD to EUR", "convert 10 USD to EUR, please"),
    ("How do I boil an egg?", "how can I boil the egg?"),
    ("it costs 1,000 dollars", "it costs 1000 dollars"),
    ("name three rivers", "name 3 rivers"),
    ("what does `a < b` do?", "tell me what does `a < b` do"),
    ("He isn’t here", "He isn't here"),
    ("I'm hungry", "i'm hungry"),
    ("Could you explain photosynthesis?", "Explain photosynthesis, please"),
    ("Hi! Can you please tell me the time in Rome", "tell me the time in Rome"),
    ("How can I fix a bike", "How do you repair a bike"),
    ("what's the best way to use it", "what is the best way to utilize it"),
    ("I can't sleep", "I cannot sleep"),
    ("what colour is the flag", "what color is the flag"),
    ("show a big picture of centres", "show a large image of centers"),
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


WORDS = st.sampled_from(
    "why does water boil sooner on top of mountain if pressure falls berlin anna sends money bank tomorrow aspirin".split()
)
TURNS = st.sampled_from(["not", "never", "no", "without", "unless", "nicht", "pas", "sin", "不", "нет"])


@given(st.text(alphabet="abc xyz.,", max_size=30), st.integers(0, 999), st.integers(0, 999))
def test_another_number_anywhere_is_another_prompt(text, one, other):
    assert agree(f"{text} {one} {text}", f"{text} {other} {text}") == (one == other)


@given(st.lists(WORDS, min_size=1, max_size=12), st.data(), TURNS)
def test_a_negation_more_anywhere_is_another_prompt(words, data, turn):
    place = data.draw(st.integers(0, len(words)))
    turned = [*words[:place], turn, *words[place:]]
    assert not agree(" ".join(words), " ".join(turned))


@given(st.lists(WORDS, min_size=1, max_size=12), st.data(), WORDS)
def test_another_word_anywhere_is_another_prompt_whatever_its_case(words, data, word):
    place = data.draw(st.integers(0, len(words) - 1))
    for said in (word, word.title(), word.upper()):
        other = [*words[:place], said, *words[place + 1 :]]
        if word != words[place]:
            assert not agree(" ".join(words), " ".join(other))


@given(st.lists(WORDS, min_size=2, max_size=12), st.randoms(use_true_random=False))
def test_the_same_words_in_another_order_are_another_prompt(words, random):
    shuffled = random.sample(words, len(words))
    assert agree(" ".join(words), " ".join(shuffled)) == (words == shuffled)


@given(st.lists(WORDS, min_size=1, max_size=12))
def test_what_is_only_polite_is_the_same_prompt(words):
    plain = " ".join(words)
    for polite in (f"Please {plain}", f"{plain}, please!", f"Hello, tell me {plain}", f"{plain}? Thank you."):
        assert agree(plain, polite)
