"""How many tokens a text is, roughly: enough to keep a 200k-token prompt away from a 128k model.

By script, as shared/design/libraries.md has it: Latin text ≈ 4 characters a token, CJK ≈ 1.2 characters a token, other
scripts between. Tokenizers would be exact for one vendor, download their vocabularies, and cost half a second. Estimates
are shown with `~`. Attachments count what the vendors publish for a mid-sized image.
"""

from typing import Final, assert_never

from llmr.chat import ChatRequest, Media, MediaKind, Part, Text, Thinking, ToolCall, ToolResult

LATIN_CHARS_PER_TOKEN: Final = 4.0
OTHER_CHARS_PER_TOKEN: Final = 2.0  # Cyrillic, Greek, Arabic, Indic scripts
CJK_CHARS_PER_TOKEN: Final = 1.2
TOKENS_PER_MESSAGE: Final = 4  # role and separators, OpenAI cookbook "how to count tokens"
TOKENS_PER_IMAGE: Final = 1_100  # 1024×1024: OpenAI 765, Anthropic ~1,400, Gemini 258 a tile
BYTES_PER_DOCUMENT_TOKEN: Final = 30  # a text-heavy PDF page is ~50 kB and 1,500–3,000 tokens (Anthropic)
BYTES_PER_AUDIO_TOKEN: Final = 500  # 32 kB/s at ~32–64 tokens a second
# High bytes in UTF-16 of U+2E00–D7FF (CJK, kana, Hangul), F900–FAFF (compatibility ideographs), FF00–FFEF (full-width forms)
# and of the first half of a surrogate pair: rare ideographs, and emoji, which are no cheaper.
_CJK_HIGH_BYTES: Final = bytes([*range(0x2E, 0xDC), 0xF9, 0xFA, 0xFF])


def estimate_text_tokens(text: str) -> int:
    """Tokens in `text`, rounded up. Cost is linear with a small constant: a few C-level passes."""
    if text.isascii():
        return -int(-len(text) // LATIN_CHARS_PER_TOKEN)
    ascii_chars = len(text.encode("ascii", "ignore"))
    latin_1_chars = len(text.encode("latin-1", "ignore"))
    cjk_chars = _cjk_chars(text)
    other_chars = len(text) - latin_1_chars - cjk_chars
    latin_chars = ascii_chars + (latin_1_chars - ascii_chars) * 2  # an accented letter is about half a token
    tokens = latin_chars / LATIN_CHARS_PER_TOKEN + cjk_chars / CJK_CHARS_PER_TOKEN + other_chars / OTHER_CHARS_PER_TOKEN
    return int(tokens) + 1


def _cjk_chars(text: str) -> int:
    """Wide characters, by the high byte of their UTF-16 encoding; a surrogate pair is one."""
    high_bytes = text.encode("utf-16-be", "surrogatepass")[::2]
    return len(high_bytes) - len(high_bytes.translate(None, _CJK_HIGH_BYTES))


def estimate_tokens(request: ChatRequest) -> int:
    """Prompt tokens of the whole request: messages, attachments and tool definitions."""
    messages = sum(
        TOKENS_PER_MESSAGE + sum(_part_tokens(part) for part in message.parts) for message in request.messages
    )
    tools = sum(estimate_text_tokens(f"{tool.name} {tool.description} {tool.parameters}") for tool in request.tools)
    return messages + tools


def _part_tokens(part: Part) -> int:
    match part:
        case Text():
            return estimate_text_tokens(part.text)
        case Thinking():
            return estimate_text_tokens(part.text)
        case ToolCall():
            return estimate_text_tokens(part.name + part.arguments)
        case ToolResult():
            return estimate_text_tokens(part.content) + sum(map(_media_tokens, part.media))
        case Media():
            return _media_tokens(part)
        case _:
            assert_never(part)


def _media_tokens(media: Media) -> int:
    size = len(media.content or b"")
    match media.kind:
        case MediaKind.IMAGE:
            return TOKENS_PER_IMAGE
        case MediaKind.DOCUMENT:
            return size // BYTES_PER_DOCUMENT_TOKEN + 1
        case MediaKind.AUDIO:
            return size // BYTES_PER_AUDIO_TOKEN + 1
        case _:
            assert_never(media.kind)
