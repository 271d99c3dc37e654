"""Base URLs and origins in normal form."""

import httpx
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llmr.config.urls import UnfitUrl, address_of, origin_of


@pytest.mark.parametrize(
    ("text", "url", "origin", "loopback"),
    [
        ("https://API.Example.com:443/v1/", "https://api.example.com/v1", "https://api.example.com", False),
        ("http://h:80", "http://h", "http://h", False),
        ("http://h:8080/a/b", "http://h:8080/a/b", "http://h:8080", False),
        ("https://h:80", "https://h:80", "https://h:80", False),
        ("https://b\u00fccher.example/v1", "https://xn--bcher-kva.example/v1", "https://xn--bcher-kva.example", False),
        ("http://[::1]:11434/v1", "http://[::1]:11434/v1", "http://[::1]:11434", True),
        ("http://[0:0:0:0:0:0:0:1]", "http://[::1]", "http://[::1]", True),
        ("http://127.0.0.1/v1", "http://127.0.0.1/v1", "http://127.0.0.1", True),
        ("http://127.255.3.4", "http://127.255.3.4", "http://127.255.3.4", True),
        ("http://LOCALHOST:1", "http://localhost:1", "http://localhost:1", True),
        ("http://localhost.", "http://localhost.", "http://localhost.", False),
        ("http://127.0.0.1.example", "http://127.0.0.1.example", "http://127.0.0.1.example", False),
        ("http://0177.0.0.1", "http://0177.0.0.1", "http://0177.0.0.1", False),
    ],
)
def test_an_address_has_one_form(text: str, url: str, origin: str, loopback: bool) -> None:
    address = address_of(text)
    assert (address.url, address.origin, address.loopback) == (url, origin, loopback)


@pytest.mark.parametrize(
    "text", ["https://xn--0.example", "https://xn--b7a.example", "https://a\u00b7.example", "https://\u2603.example"]
)
def test_a_name_that_the_http_client_would_stumble_over_is_refused(text: str) -> None:
    with pytest.raises(UnfitUrl, match="no valid host"):
        address_of(text)


@pytest.mark.parametrize("text", ["https://h/v1", "h", "https://", "https://h/v1/"])
def test_an_origin_is_scheme_host_and_port_alone(text: str) -> None:
    with pytest.raises(UnfitUrl):
        origin_of(text)


URLS = st.builds(
    "{}://{}{}/{}".format,
    st.sampled_from(["http", "https", "HTTPS", "ftp", ""]),
    st.one_of(
        st.from_regex(r"[a-zA-Z0-9._-]{0,20}", fullmatch=True),
        st.text(max_size=12),
        st.ip_addresses(v=4).map(str),
        st.ip_addresses(v=6).map("[{}]".format),
    ),
    st.one_of(st.just(""), st.integers(0, 70_000).map(":{}".format), st.text(max_size=4)),
    st.one_of(st.from_regex(r"[a-z0-9./-]{0,20}", fullmatch=True), st.text(max_size=8)),
)


@given(URLS)
def test_the_http_client_reads_an_accepted_url_as_we_do(text: str) -> None:
    try:
        address = address_of(text)
    except UnfitUrl:
        return
    assert address_of(address.url) == address
    try:
        read = httpx.URL(address.url)
    except httpx.InvalidURL:
        assume(False)
        raise
    assert read.scheme == address.scheme
    assert read.raw_host.decode() == address.host
    assert read.host
    assert read.userinfo == b""
    assert read.query == b""
    port = f":{read.port}" if read.port is not None else ""
    shown = f"[{read.host}]" if ":" in read.host else read.raw_host.decode()
    assert f"{read.scheme}://{shown}{port}" == address.origin


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        address_of(text)
    except UnfitUrl:
        return
