"""Proxies, authorities and TLS as a person meets them: T13, T14 of trust.md; cases B26, B38, B42."""

import re
import resource
import ssl
import subprocess
from pathlib import Path

import pytest

from llmr.lab import Behavior, LabProvider, redirect

KEY = "sk-test-0123456789abcdef"


def test_t13_loopback_is_never_proxied(box, decoy):
    lab = box([LabProvider("a", [Behavior("hi")])])
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "http_proxy"):
        lab.variables[name] = f"http://127.0.0.1:{decoy.port}"
    assert lab.run("chat", "x").out == "hi"
    assert decoy.connections == 0


def test_t13_a_proxy_is_obeyed_for_everybody_else_and_its_password_is_never_shown(box, decoy):
    lab = box([])
    lab.config_file.write_text(
        'default_model = "m"\n[models.m]\ncandidates = ["far/x"]\n'
        '[providers.far]\nbase_url = "https://far.example/v1"\napi_key_env = "FAR_KEY"\n[fallback]\nretries_per_candidate = 0\n'
    )
    lab.variables |= {"HTTPS_PROXY": f"http://alice:proxy-pass-1@127.0.0.1:{decoy.port}", "FAR_KEY": KEY}
    said = lab.run("chat", "-vv", "x")
    assert decoy.connections >= 1
    assert said.code == 5
    assert "through the proxy 127.0.0.1" in said.err
    assert "proxy-pass-1" not in said.err
    assert KEY not in said.err


def test_t13_an_authority_file_that_is_missing_is_code_3_and_names_the_variable(box):
    lab = box([])
    lab.config_file.write_text(
        'default_model = "m"\n[models.m]\ncandidates = ["far/x"]\n'
        '[providers.far]\nbase_url = "https://127.0.0.1:9/v1"\napi_key_env = "FAR_KEY"\n[fallback]\nretries_per_candidate = 0\n'
    )
    lab.variables |= {"SSL_CERT_FILE": "/nowhere/ca.pem", "FAR_KEY": KEY}
    said = lab.run("chat", "x")
    assert said.code == 3
    assert "/nowhere/ca.pem: cannot be read as PEM certificates; check tls_ca and SSL_CERT_FILE" in said.err
    assert "Traceback" not in said.err


@pytest.fixture
def secure(box, tmp_path):
    """A box around one provider with a certificate that nobody knows."""
    trustme = pytest.importorskip("trustme", reason="certificates are made with trustme (extra: test)")
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return box([LabProvider("a", [Behavior("hi")], tls=context)])


def test_t14_an_unknown_certificate_is_refused_and_never_a_way_round_it_offered(secure):
    said = secure.run("chat", "x")
    assert said.code == 5
    assert "certificate" in said.err
    assert "insecure" not in said.err


def test_t14_a_providers_own_authority_is_enough(secure):
    secure.configure("a", provider_extra='tls_ca = "ca.pem"')
    assert secure.run("chat", "x").out == "hi"


def test_t14_insecure_works_on_this_machine_and_warns_on_every_run(secure):
    secure.configure("a", provider_extra="insecure = true")
    for _ in range(2):
        said = secure.run("chat", "x")
        assert said.out == "hi"
        assert "llmr: a: insecure = true: nobody knows who answers at https://127.0.0.1" in said.err


def test_t14_insecure_is_refused_for_a_public_host_before_anything_is_sent(box):
    lab = box([])
    lab.config_file.write_text('[providers.far]\nbase_url = "https://far.example/v1"\ninsecure = true\n')
    said = lab.run("chat", "-m", "far/x", "hi")
    assert said.code == 3
    assert "routing.toml:3: providers.far.insecure: is for this machine and private networks only" in said.err


def test_t14_a_key_over_plain_http_to_another_machine_is_refused_unless_allowed(box):
    lab = box([])
    text = '[providers.far]\nbase_url = "http://10.255.255.1:9/v1"\napi_key_env = "FAR_KEY"\n'
    lab.config_file.write_text(text)
    lab.variables["FAR_KEY"] = KEY
    said = lab.run("config", "check")
    assert said.code == 3
    assert "would send a key over http:// to another machine" in said.err
    lab.config_file.write_text(text + "allow_plaintext = true\n")
    assert lab.run("config", "check").code == 0


def test_b26_a_redirect_sends_nothing_to_the_second_server(box, decoy):
    target = f"http://127.0.0.1:{decoy.port}/v1/chat/completions"
    lab = box([LabProvider("a", [redirect(target, status) for status in (302, 307, 308)])])
    lab.configure("a", provider_extra='api_key_env = "A_KEY"', extra="fallback = { retries_per_candidate = 0 }")
    lab.variables["A_KEY"] = KEY
    for _ in range(3):
        said = lab.run("chat", "x")
        assert said.code == 5
        assert KEY not in said.err
    assert decoy.connections == 0


def test_b38_a_known_key_goes_to_no_other_origin_and_nobody_is_called(box, decoy):
    lab = box([])
    lab.config_file.write_text(f'[providers.openai]\nbase_url = "http://127.0.0.1:{decoy.port}/v1"\n')
    lab.variables["OPENAI_API_KEY"] = KEY
    said = lab.run("chat", "-m", "openai/gpt-4o", "hi")
    assert said.code == 3
    assert "key_origins" in said.err
    assert decoy.connections == 0


@pytest.mark.parametrize("behavior", [
    Behavior(status=401, error_message=f"Incorrect API key provided: {KEY}"),
    Behavior(status=500, error_message=f"{KEY}"),
    Behavior(status=429, error_message=f"{KEY}", headers=(("x-echo", KEY),)),
    Behavior(status=200, body=f"<html>{KEY}</html>".encode(), content_type="text/html"),
    Behavior(raw=f"HTTP/1.1 {KEY}\r\n\r\n".encode()),
    Behavior(status=302, headers=(("location", f"http://{KEY}@127.0.0.1:1/{KEY}"),), body=b""),
], ids=["401", "500", "429", "html", "garbage", "redirect"])  # fmt: skip
def test_b42_whatever_goes_wrong_the_key_is_in_no_output_and_in_no_file(box, behavior):
    lab = box([LabProvider("a", [behavior])])
    lab.configure("a", provider_extra='api_key_env = "A_KEY"', extra="fallback = { retries_per_candidate = 0 }")
    lab.variables |= {"A_KEY": KEY, "LLMR_DEBUG": "1"}
    for arguments in (["chat", "-vv", "x"], ["chat", "--json", "x"], ["providers", "status"], ["explain", "last"],
                      ["providers", "probe", "a"], ["keys", "test", "a"], ["doctor"], ["config", "show", "--all"]):  # fmt: skip
        said = lab.run(*arguments)
        assert KEY not in said.out, arguments
        assert KEY not in said.err, arguments
    for path in lab.home.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path


def test_b46_a_prompt_from_standard_input_is_in_no_process_list(box):
    """Looked at when it has read the prompt and sent it, and waits for the rest of the answer."""
    lab = box([LabProvider("a", [Behavior("hi there", gate="looked", gate_at=1)])])
    process = lab.start("chat", "-", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(b"a-prompt-nobody-else-should-see")
    process.stdin.close()
    process.stdin = None
    assert process.stdout is not None
    assert process.stdout.read(2) == b"hi"
    seen = [Path(f"/proc/{process.pid}/{name}").read_bytes() for name in ("cmdline", "environ")]
    lab.lab.provider("a").release("looked")
    assert lab.end(process).code == 0
    assert b"chat" in seen[0]
    assert b"LLMR_CONFIG" in seen[1]
    assert not any(b"a-prompt-nobody" in text for text in seen)
    assert lab.lab.provider("a").requests[-1].json["messages"][-1]["content"] == "a-prompt-nobody-else-should-see"


def test_b42_a_process_that_holds_a_key_leaves_no_core(box):
    lab = box([LabProvider("a", [Behavior("one two", gate="looked", gate_at=1)])])
    lab.configure("a", provider_extra='api_key_env = "A_KEY"')
    lab.variables["A_KEY"] = KEY
    process = lab.start("chat", "x", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (1024, 1024)))
    assert process.stdout is not None
    assert process.stdout.read(3) == b"one"
    limits = Path(f"/proc/{process.pid}/limits").read_text()
    assert re.search(r"^Max core file size +0 ", limits, re.MULTILINE), limits
    lab.lab.provider("a").release("looked")
    assert lab.end(process).code == 0
