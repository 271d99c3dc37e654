"""Bad input: one clear line that says what, where and what to do; the right code; no traceback; nobody is asked."""

import pytest

from llmr.lab import Behavior, LabProvider


@pytest.fixture
def here(box):
    return box([LabProvider("a")])


def refused(here, ended, code, *words):
    """One refusal: the code, the words, and nothing that looks like a crash."""
    assert ended.code == code, ended.err
    assert "Traceback" not in ended.err
    assert ended.raw == b""
    assert here.lab.provider("a").requests == ()
    for word in words:
        assert word in ended.err


def test_no_prompt_and_empty_standard_input(here):
    refused(here, here.run("chat"), 2, "no prompt")
    refused(here, here.run("chat", stdin=b""), 2, "no prompt", "standard input is empty")
    refused(here, here.run("chat", "  \n"), 2, "no prompt")


def test_binary_on_standard_input_names_byte_and_offset(here):
    refused(here, here.run("chat", "hi", stdin=b"abc\xff\xfe"), 2, "not UTF-8", "0xff at offset 3")
    refused(here, here.run("chat", "hi", stdin=b"\x7fELF\0\0"), 2, "binary", "offset 4")


def test_a_20_mb_prompt(here):
    refused(here, here.run("chat", stdin=b"word " * 4_000_000), 2, "no model takes more")


def test_an_unknown_model_suggests_the_nearest(here):
    refused(here, here.run("chat", "-m", "gpt-4p", "hi"), 2, "gpt-4p", "did you mean 'gpt-4o'")
    refused(here, here.run("chat", "-m", "opnai/gpt-4o", "hi"), 2, "did you mean 'openai'")


def test_an_unknown_provider_or_strategy_suggests_the_nearest(here):
    refused(here, here.run("chat", "-p", "opnai", "hi"), 2, "did you mean")
    refused(here, here.run("chat", "--strategy", "fastest", "hi"), 2, "fastest", "latency")


def test_no_usable_provider_says_which_keys_are_missing_and_what_to_do(here):
    refused(here, here.run("chat", "-m", "gpt-4o", "hi"), 3, "OPENAI_API_KEY", "llmr chat --demo")


def test_a_key_with_a_line_break_inside_is_named_but_never_shown(here):
    here.configure("a", provider_extra='api_key_env = "LAB_KEY"')
    here.variables["LAB_KEY"] = "sk-first-half\nsk-second-half"
    ended = here.run("chat", "hi")
    refused(here, ended, 3, "LAB_KEY")
    assert "half" not in ended.err


def test_a_key_with_a_line_break_at_its_end_is_trimmed(here):
    here.configure("a", provider_extra='api_key_env = "LAB_KEY"')
    here.variables["LAB_KEY"] = "sk-whole-key-12345\n"
    assert here.run("chat", "hi").code == 0
    assert here.lab.provider("a").requests[0].header("authorization") == "Bearer sk-whole-key-12345"


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ('strategy = "fastest"', ("strategy",)),
        ("strategy = ", ("not valid TOML",)),
        ("[providers.a]\nbase_ur = 'http://x'", ("base_ur", "did you mean", "base_url")),
        ("[providers.a]\nwire='openai'\nbase_url = 'ftp://x'", ("base_url",)),
        ("[providers.a]\nwire='openai'\nbase_url = 'http://u:pw@127.0.0.1/'", ("base_url",)),
        ("[timeouts]\ndeadline_s = 'soon'", ("deadline_s",)),
        ("[models.m]\ncandidates = ['nobody/x']", ("nobody",)),
        ("[[rules]]\nname='r'\nonly=['nobody/*']", ("nobody",)),
    ],
)
def test_a_wrong_routing_toml_names_file_place_and_mend(here, toml, words):
    here.config_file.write_text(toml)
    ended = here.run("chat", "hi")
    refused(here, ended, 3, "routing.toml", *words)
    assert ended.err_lines[1:] == ["  `llmr config check` tells everything that is wrong"]
    assert "pw" not in ended.err


def test_a_missing_config_file(here):
    refused(here, here.run("chat", "--config", "/nonexistent.toml", "hi"), 3, "/nonexistent.toml")


def test_an_unknown_command_or_option_is_code_2(here):
    refused(here, here.run("chatt"), 2)
    refused(here, here.run("chat", "--modle", "x", "hi"), 2)


def test_an_answer_of_one_provider_is_not_lost_to_a_wrong_tag(here):
    here.lab.provider("a").follow([Behavior(text="fine")])
    assert here.run("chat", "--tag", "nobody-knows-it", "hi").out == "fine"
