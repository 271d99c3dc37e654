"""The command line of `chat` → the request, before anything is looked up: prompt, attachments, template, editor."""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from llmr.chat import ChatRequest, Media, Message, Role
from llmr.cli.choices import check_on_break, check_strategy
from llmr.cli.prompt import Prompt, read_prompt
from llmr.config.build import Config
from llmr.config.environment import Environment
from llmr.dataclass import dataclass
from llmr.errors import UsageError

if TYPE_CHECKING:
    from llmr.cli.chat_command import ChatOptions
    from llmr.cli.rank_command import RankOptions
    from llmr.templates import Template

URLS_ARE_OFF: Final = (
    "attached URLs are off: the provider would fetch them. Say --attach-urls, or [attachments] urls = true, or "
    "download it and attach the file"
)


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked, and how, apart from routing's own options. `may_be_empty`: nothing need be said, since nobody is asked."""

    words: tuple[str, ...]
    attach: tuple[str, ...] = ()
    prompt_file: str | None = None
    edit: bool = False
    template: str | None = None
    parameters: tuple[str, ...] = ()
    attach_urls: bool | None = None
    may_be_empty: bool = False


def asking_of(typed: "ChatOptions | RankOptions") -> Asking:
    """What is asked, as far as both commands can say it."""
    return Asking(
        words=typed.prompt,
        attach=typed.attach,
        prompt_file=typed.prompt_file,
        template=typed.template,
        parameters=typed.parameter,
        attach_urls=typed.attach_urls,
    )


def request_of(typed: "ChatOptions | RankOptions") -> ChatRequest:
    """Whom it is asked, likewise; without messages."""
    return ChatRequest(
        messages=(),
        model=typed.model or "",
        stream=not typed.no_stream,
        max_output_tokens=typed.max_tokens,
        provider=typed.provider,
        strategy=typed.strategy,
        hedge=typed.hedge,
        tags=typed.tag,
    )


def request_for(
    asking: Asking, request: ChatRequest, system: str | None, environment: Environment, config_file: str | None
) -> ChatRequest:
    """`request` with its messages, and with what the template says where the command line says nothing. Raises UsageError,
    ConfigError."""
    check_strategy(request.strategy)
    check_on_break(request.on_break)
    if asking.parameters and asking.template is None:
        raise UsageError("-P fills the places of a template; name one with -t")
    prompt = read_prompt(
        asking.words,
        asking.attach,
        prompt_file=asking.prompt_file,
        may_be_empty=asking.template is not None or asking.edit or asking.may_be_empty,
    )
    if asking.template is not None:
        from llmr import templates

        template = templates.read(asking.template, environment.config_dir, owner=environment.uid)
        filled = templates.fill(template, asking.template, parameters(asking.parameters), prompt.text)
        prompt, system = replace(prompt, text=filled.prompt), system or filled.system
        request = _over(request, template)
        check_strategy(request.strategy)
    if asking.edit:
        from llmr.cli.editor import edited
        from llmr.config.named_keys import named_keys

        prompt = replace(
            prompt, text=edited(prompt.text, environment, named_keys(environment, config_file), suffix=".md")
        )
    return replace(request, messages=_messages(prompt, system, may_be_empty=asking.may_be_empty))


def sends_urls(asking: Asking, config: Config) -> bool:
    """Whether URLs may be attached."""
    return config.sends_urls if asking.attach_urls is None else asking.attach_urls


def check_urls(request: ChatRequest, asking: Asking, config: Config) -> None:
    """Raises UsageError where a URL is attached and that was not allowed: a provider would fetch it, and learn of it."""
    if not sends_urls(asking, config) and any(
        isinstance(part, Media) and part.url for one in request.messages for part in one.parts
    ):
        raise UsageError(URLS_ARE_OFF)


def parameters(given: tuple[str, ...]) -> dict[str, str]:
    """`-P name=value`, as typed. Raises UsageError."""
    values: dict[str, str] = {}
    for one in given:
        name, sign, value = one.partition("=")
        if not sign or not name.isidentifier():
            raise UsageError(f"-P {one[:80]!r}: write it as name=value")
        if name == "input":
            raise UsageError("-P input=…: the input is what is typed and piped")
        values[name] = value
    return values


def _messages(prompt: Prompt, system: str | None, *, may_be_empty: bool) -> tuple[Message, ...]:
    message = prompt.message()
    if not message.parts and not may_be_empty:
        raise UsageError("no prompt: the text is empty")
    return (*((Message.text(Role.SYSTEM, system),) if system else ()), message)


def _over(request: ChatRequest, template: "Template") -> ChatRequest:
    return replace(
        request,
        model=request.model or template.model or "",
        provider=request.provider or template.provider,
        strategy=request.strategy or template.strategy,
        temperature=template.temperature if request.temperature is None else request.temperature,
        max_output_tokens=request.max_output_tokens or template.max_tokens,
        tags=(*request.tags, *(tag for tag in template.tags if tag not in request.tags)),
    )
