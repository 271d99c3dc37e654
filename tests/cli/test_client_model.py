"""The interactive client without a terminal: what a line means, and what the next request is."""

import os
from dataclasses import replace

import pytest
from fakes import catalog, model, provider, turn

from llmr.attachments import titled
from llmr.chat import ChatRequest, Media, MediaKind, Message, Role, Text
from llmr.cli.client.commands import COMMANDS, Ask, Do, Nothing, Shell, Verb, help_lines, line_of, parse
from llmr.cli.client.files import taken_up, with_files
from llmr.cli.client.reading import is_private, words_for
from llmr.cli.client.session import Session, along_with
from llmr.cli.client.shell import shell_output
from llmr.cli.client.views import bottom_line, cost_lines

BASE = ChatRequest(messages=(), temperature=0.5)
PICTURE = Media(MediaKind.IMAGE, "image/png", content=b"x", name="p.png")


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("why is the sky blue?", Ask("why is the sky blue?")),
        ("two\nlines\n", Ask("two\nlines")),
        ("//usr/bin holds what?", Ask("/usr/bin holds what?")),
        ("!!important", Ask("!important")),
        ("  ", Nothing()),
        ("/model a/b", Do(Verb.MODEL, "a/b")),
        ("/model", Do(Verb.MODEL)),
        (" /quit ", Do(Verb.QUIT)),
        ("exit", Do(Verb.QUIT)),
        ("exit codes?", Ask("exit codes?")),
        ("/system be brief and kind", Do(Verb.SYSTEM, "be brief and kind")),
        ("!ls -l | head", Shell("ls -l | head")),
    ],
)
def test_a_line_is_a_prompt_a_command_or_a_shell_command(line, action):
    assert parse(line) == action


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/modle x", "did you mean /model?"),
        ("/usr/bin holds what?", "a prompt that begins with / takes two"),
        ("/attach", "/attach FILE: send a file along"),
        ("/quit now", "/quit takes nothing behind it"),
        ("!", "! and a command"),
    ],
)
def test_what_is_no_command_is_told_and_never_sent(line, words):
    action = parse(line)
    assert isinstance(action, Nothing)
    assert words in action.why


def test_help_names_every_command():
    text = "\n".join(help_lines())
    assert all(f"/{verb}" in text for verb in COMMANDS)
    assert set(COMMANDS) == set(Verb)


def test_a_request_has_the_history_the_prompt_and_whom_to_ask():
    session = Session((turn("one", system="be brief"),), model="m", provider="a", strategy="cost")
    request = session.request(BASE, (session.prompt("two"),))
    assert [(m.role, m.parts[-1].text) for m in request.messages] == [
        (Role.SYSTEM, "be brief"), (Role.USER, "one"), (Role.ASSISTANT, "fine"), (Role.USER, "two"),
    ]  # fmt: skip
    assert (request.model, request.provider, request.strategy, request.temperature) == ("m", "a", "cost", 0.5)


def test_a_candidate_of_its_own_is_asked_by_its_name_alone():
    request = Session(model="m", provider="a").request(BASE, (Message.text(Role.USER, "x"),), "b/y")
    assert (request.model, request.provider) == ("b/y", None)


def test_attachments_go_with_one_prompt_pictures_first_and_texts_below():
    session = Session(attached=(Text("$ ls\nfile"), PICTURE))
    asked = session.prompt("what?")
    assert asked.parts == (PICTURE, Text("what?"), Text("\n\n$ ls\nfile"))
    assert session.request(BASE, (asked,)).messages[-1].parts == (PICTURE, Text("what?\n\n$ ls\nfile"))
    assert session.went_on(turn("what?"), "a/x").attached == ()


def test_a_turn_that_went_on_is_told_with_one_text_and_knows_what_was_typed():
    asked = Session(attached=(Text("from the file"),)).prompt("what?")
    went_on = Session((replace(turn("what?"), asked=(asked,)),))
    assert went_on.request(BASE, ()).messages[0].parts == (Text("what?\n\nfrom the file"),)
    assert went_on.last is not None
    assert (went_on.last.typed, along_with(went_on.last)) == ("what?", (Text("from the file"),))


def test_an_edited_prompt_sends_each_file_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.c", "b.c"):
        (tmp_path / name).write_text(f"the old {name}")
    asked, files = with_files("compare @a.c with @@b.c, @nobody")
    along = (Text(titled("b.c", "attached")), *(one.part for one in files))
    (tmp_path / "a.c").write_text("the new one")
    typed, left = taken_up(asked, along[1:])
    assert (typed, left) == ("compare @a.c with @@b.c, @nobody", ())
    assert [one.part.text for one in with_files(typed)[1]] == [titled("a.c", "the new one")]
    (tmp_path / "a.c").unlink()
    assert taken_up(asked, along[1:])[1] == along[1:]


@pytest.mark.parametrize("prompt", ["/usr/bin holds", "!important", "hello", "//", "two\nlines"])
def test_a_prompt_taken_up_again_means_the_same_prompt(prompt):
    assert parse(line_of(prompt)) == Ask(prompt)


def test_asking_again_goes_back_one_turn_and_remembers_who_was_asked():
    session = Session((turn("one"),)).went_on(turn("two"), {"a/x"}).before_last().went_on(turn("two"), {"b/x", "c/x"})
    assert [t.prompt_text for t in session.line] == ["one", "two"]
    assert session.asked_of == {"a/x", "b/x", "c/x"}
    assert session.another_question().asked_of == frozenset()


def test_going_back_keeps_the_instructions_that_the_turn_brought():
    session = Session(new_system="be brief").went_on(turn("one", system="be brief"), {"a/x"})
    assert (session.new_system, session.system) == (None, "be brief")
    assert session.before_last().system == "be brief"
    assert replace(session, new_system="be long").before_last().system == "be long"


def test_a_new_conversation_keeps_whom_to_ask_and_how():
    session = Session((turn("one", system="be brief"),), model="m", attached=(PICTURE,)).new()
    assert (session.line, session.model, session.system, session.attached) == ((), "m", "be brief", ())


def test_cost_is_of_what_is_known():
    assert Session((turn("a", cost_usd=0.25), turn("b"), turn("c", cost_usd=0.5))).cost_usd == 0.75
    assert Session((turn("a"),)).cost_usd is None
    assert Session().before_last() == Session()


def test_completion_knows_commands_models_and_providers():
    known = catalog(model(provider("open"), "x"), name="m")
    assert list(words_for("/mo", known)) == ["/model"]
    assert "m" in list(words_for("/model ", known))
    assert list(words_for("/provider o", known)) == ["open"]
    assert list(words_for("/strategy pri", known)) == ["priority"]
    assert list(words_for("what is /mo", known)) == []
    assert list(words_for("//mo", known)) == []


def test_a_shell_command_runs_to_its_end_and_only_so_much_of_its_output_is_sent_along():
    long = shell_output("yes | head -c 1000000; exit 3", {"PATH": os.environ["PATH"]})
    assert (len(long.text), long.cut, long.code) == (256 * 1024, True, 3)
    assert long.shown.endswith("\n[exit 3]")
    short = shell_output("printf 'a\\377b'; echo no >&2", {"PATH": os.environ["PATH"]})
    assert (short.shown, short.cut) == ("$ printf 'a\\377b'; echo no >&2\na\ufffdbno\n", False)


def test_what_was_left_for_another_branch_was_paid_for_too():
    first, second, third = (turn("hi", cost_usd=cost) for cost in (0.25, None, 0.5))
    session = Session().went_on(first, ()).went_on(second, ())
    session = session.before_last().went_on(third, ())
    assert session.cost_usd == 0.75
    assert list(cost_lines(session)) == [
        "  3 turns (1 on branches that were left), 0 tokens in, 0 out",
        "  $0.75, and 1 turn of unknown cost",
    ]
    assert session.new().cost_usd == 0


def test_cost_says_which_part_of_it_is_estimated():
    whole, stopped, free = (
        turn("hi", cost_usd=usd, estimated_usd=guess) for usd, guess in ((0.25, 0.0), (0.5, 0.25), (0.0, 0.0))
    )
    (_, line) = cost_lines(Session((whole, stopped, free)))
    assert line == "  $0.75, ~$0.25 of it estimated, in 1 turn that nobody counted to the end"
    assert [*cost_lines(Session((replace(stopped, estimated_usd=0.5),)))][1].startswith("  ~$0.50, in 1 turn")
    assert "~$0.50" in bottom_line(Session((stopped,)), None, "m", ())
    assert Session((free, turn("unknown"))).cost_usd is None


def test_what_was_typed_is_written_into_a_file_of_ours_alone_or_nowhere(tmp_path):
    file = tmp_path / "state" / "llmr" / "prompts"
    assert is_private(file)
    file.chmod(0o644)
    assert is_private(file)
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    (file.parent / "link").symlink_to(tmp_path / "elsewhere")
    assert not is_private(file.parent / "link")
    file.parent.chmod(0o777)  # where anybody may put another file in its place
    assert not is_private(file)
    file.parent.chmod(0o700)


def test_a_conversation_of_nothing_cost_nothing():
    assert list(cost_lines(Session())) == ["  0 turns, 0 tokens in, 0 out", "  $0.00"]
