"""Asking with files, attachments and templates, over the wire: what leaves, and who is not asked."""

import base64
import os
import sysconfig
from pathlib import Path

import pexpect
import pytest

from llmr.lab import LabProvider

PNG = b"\x89PNG\r\n\x1a\n picture"
PDF = b"%PDF-1.7\n document"


@pytest.fixture
def here(box):
    made = box([LabProvider("a")])
    (made.home / "p.png").write_bytes(PNG)
    (made.home / "d.pdf").write_bytes(PDF)
    (made.home / "notes").write_text("two\nlines\n")
    return made


def content(here, name="a"):
    return here.lab.provider(name).requests[-1].json["messages"][-1]["content"]


def template(here, name, text):
    folder = here.home / ".config/llmr/templates"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.toml").write_text(text)


def test_a_picture_a_document_and_a_text_go_along_together(here):
    ended = here.run("chat", "what?", "-a", "p.png", "-a", "d.pdf", "-a", "notes")
    assert (ended.code, ended.err) == (0, "")
    picture, document, text = content(here)
    assert picture["image_url"]["url"] == f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert document["file"]["filename"] == "d.pdf"
    assert text["text"] == 'what?\n\n<file name="notes">\ntwo\nlines\n</file>'


def test_text_alone_stays_a_plain_string_that_every_server_takes(here):
    here.run("chat", "sum up", "@notes", stdin=b"piped")
    assert content(here) == "sum up\n\ntwo\nlines\n\npiped"


def test_binary_standard_input_is_refused_without_a_and_sent_with_it(here):
    refused = here.run("chat", "what?", stdin=b"\x89PNG\r\n\x1a\n")
    assert refused.code == 2
    assert "-a -" in refused.err
    assert here.run("chat", "what?", "-a", "-", stdin=PNG).code == 0
    assert content(here)[0]["type"] == "image_url"


def test_a_model_that_takes_no_pictures_is_not_asked(box):
    here = box([LabProvider("a"), LabProvider("b")])
    (here.home / "p.png").write_bytes(PNG)
    toml = here.config_file.read_text()
    here.config_file.write_text(toml + '\n[providers.a.models."lab-model"]\nimages = false\n')
    ended = here.run("chat", "what?", "-a", "p.png")
    assert ended.code == 0
    assert here.lab.provider("a").requests == ()
    assert len(here.lab.provider("b").requests) == 1
    assert here.run("chat", "no picture").code == 0
    assert len(here.lab.provider("a").requests) == 1


def test_a_picture_earlier_in_the_conversation_counts_too(box):
    here = box([LabProvider("a"), LabProvider("b")])
    here.variables["LLMR_SAVE"] = "1"
    (here.home / "p.png").write_bytes(PNG)
    here.config_file.write_text(here.config_file.read_text() + '\n[providers.a.models."lab-model"]\nimages = false\n')
    here.run("chat", "what?", "-a", "p.png")
    assert here.run("chat", "-c", "and now?").code == 0
    assert here.lab.provider("a").requests == ()
    assert here.lab.provider("b").requests[-1].json["messages"][0]["content"][0]["type"] == "image_url"


def test_nobody_who_takes_it_is_said_with_the_reason(here):
    here.config_file.write_text(here.config_file.read_text() + '\n[providers.a.models."lab-model"]\naudio = false\n')
    (here.home / "s.wav").write_bytes(b"RIFF\x24\0\0\0WAVEfmt ")
    ended = here.run("chat", "what?", "-a", "s.wav")
    assert ended.code == 9
    assert "does not take audio" in ended.err


def test_a_url_is_sent_only_where_that_is_allowed_and_fetched_by_nobody_here(here):
    url = here.lab.url("a") + "/picture.png"
    refused = here.run("chat", "what?", "-a", url)
    assert refused.code == 2
    assert "--attach-urls" in refused.err
    assert here.run("chat", "--attach-urls", "what?", "-a", url).code == 0
    here.configure("a", extra="[attachments]\nurls = true")
    assert here.run("chat", "what?", "-a", url).code == 0
    assert content(here)[0]["image_url"]["url"] == url
    assert here.run("chat", "--no-attach-urls", "what?", "-a", url).code == 2


@pytest.mark.parametrize("name", ["fifo", "/dev/zero", ".", "huge", "loop", "nothing"])
def test_b54_what_is_no_file_is_code_2_and_nobody_is_asked(here, name):
    os.mkfifo(here.home / "fifo")
    (here.home / "loop").symlink_to("loop")
    (here.home / "huge").touch()
    os.truncate(here.home / "huge", 5 * 1024**3)
    for arguments in (["-a", name], [f"@{name}"], ["--prompt-file", name]):
        ended = here.run("chat", "what?", *arguments)
        assert (ended.code, ended.raw, len(ended.err_lines)) == (2, b"", 1)
    assert here.lab.provider("a").requests == ()


def test_a_template_asks_with_what_is_piped_and_says_what_is_missing(here):
    template(here, "review", 'prompt = "Review for $focus."\nsystem = "Be strict."\nmax_tokens = 77\n')
    missing = here.run("chat", "-t", "review", stdin=b"diff")
    assert missing.code == 2
    assert "-P focus=…" in missing.err
    assert here.run("chat", "-t", "review", "-P", "focus=bugs", stdin=b"the diff").code == 0
    body = here.lab.provider("a").requests[-1].json
    assert [m["content"] for m in body["messages"]] == ["Be strict.", "Review for bugs.\n\nthe diff"]
    assert body["max_tokens"] == 77
    here.run("chat", "-t", "review", "-P", "focus=x", "-s", "Be kind.", "--max-tokens", "5", stdin=b"d")
    body = here.lab.provider("a").requests[-1].json
    assert (body["messages"][0]["content"], body["max_tokens"]) == ("Be kind.", 5)


def test_a_template_names_the_model_unless_the_command_line_does(box):
    here = box([LabProvider("a"), LabProvider("b")])
    template(here, "b", 'prompt = "hi"\nmodel = "b/lab-model"\n')
    here.run("chat", "-t", "b")
    here.run("chat", "-t", "b", "-m", "a/lab-model")
    assert [len(here.lab.provider(name).requests) for name in "ab"] == [1, 1]


def test_b53_a_templates_name_leads_nowhere_else(here):
    (here.home / "x.toml").write_text('prompt = "stolen"')
    for name in ("../../x", "a/b", ".", "x" * 300, str(here.home / "x")):
        ended = here.run("chat", "-t", name, "hi")
        assert (ended.code, len(ended.err_lines)) == (2, 1)
    assert here.lab.provider("a").requests == ()


def test_templates_are_saved_listed_shown_and_removed(here):
    here.variables["LLMR_SAVE"] = "1"
    assert here.run("templates", "save", "sum", "Sum up $what for $who", "-P", "who=me", "-m", "m").code == 0
    assert here.run("templates", "save", "sum", "again").code == 2
    assert here.run("templates", "list", "--json").json["templates"][0]["places"] == ["what", "who"]
    assert 'who = "me"' in here.run("templates", "show", "sum").out
    here.run("chat", "-s", "brief", "What costs $5?")
    assert here.run("templates", "save", "costs", "--from-conversation", "last").code == 0
    here.run("chat", "-t", "costs")
    assert content(here) == "What costs $5?"
    assert here.run("templates", "rm", "sum").code == 0
    assert here.run("templates", "rm", "sum").code == 2
    assert here.run("templates", "save", "bad", "costs $5").code == 3


def test_a_project_has_no_templates(here):
    (here.home / "templates").mkdir()
    (here.home / "templates/evil.toml").write_text('prompt = "x"')
    assert here.run("chat", "-t", "evil", "hi").code == 2


def test_the_editor_writes_the_prompt_without_seeing_a_key(here):
    """In a terminal of its own; `EDITOR` is a script that adds a line and tells what it was given."""
    pexpect = pytest.importorskip("pexpect")
    editor = here.home / "editor.sh"
    editor.write_text('#!/bin/sh\nenv > "$HOME/seen"\necho "from the editor" >> "$1"\n')
    editor.chmod(0o700)
    here.variables.update(EDITOR=str(editor), OPENAI_API_KEY="sk-never-seen-123", TERM="xterm")
    llmr = str(Path(sysconfig.get_path("scripts")) / "llmr")
    child = pexpect.spawn(llmr, ["chat", "--edit", "begun"], env=here.environment, cwd=str(here.home))
    child.expect("Hello from the lab.")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert content(here).splitlines() == ["begun", "from the editor"] or content(here) == "begunfrom the editor"
    assert "sk-never-seen" not in (here.home / "seen").read_text()


def test_an_interrupt_in_the_editor_is_the_editors_own(here):
    """Ctrl-C reaches everybody at the terminal; vi stays, so what was written in it must stay too."""
    editor = here.home / "editor.sh"
    editor.write_text(
        '#!/bin/sh\ntrap "echo and more >> $1; exit 0" INT\necho written > "$1"\necho READY\nsleep 30 & wait\n'
    )
    editor.chmod(0o700)
    here.variables.update(EDITOR=str(editor), TERM="xterm")
    llmr = str(Path(sysconfig.get_path("scripts")) / "llmr")
    child = pexpect.spawn(llmr, ["chat", "--edit", "begun"], env=here.environment, cwd=str(here.home))
    child.expect("READY")
    child.sendintr()
    child.expect("Hello from the lab.")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert content(here).splitlines() == ["written", "and more"]
