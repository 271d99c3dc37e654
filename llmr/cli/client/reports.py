"""`/why`, `/status`, `/cost`, `/help`: what there is to know."""

from collections.abc import Iterator

from llmr.app import App
from llmr.chat import ChatRequest
from llmr.cli.client.commands import Verb, help_lines
from llmr.cli.client.session import Session
from llmr.cli.client.turns import Told
from llmr.cli.client.views import cost_lines
from llmr.cli.screen import screen
from llmr.errors import LlmrError, NoProviderReady, UsageError
from llmr.render.transcript import how_it_went_lines
from llmr.router.endings import refuse_if_nobody_is_ready


def unready_lines(app: App, request: ChatRequest) -> Iterator[str]:
    """Where nobody could be asked `request`, what is missing and what can be done, before anything is typed in vain."""
    try:
        refuse_if_nobody_is_ready(app.router.rank(request))
    except NoProviderReady as error:
        from llmr.cli.first_run import IN_THE_CLIENT, first_run_lines

        yield str(error)
        yield from first_run_lines(error, app.config, IN_THE_CLIENT)
    except LlmrError:  # a rule denies it, say; asking will tell
        return


def report_lines(verb: Verb, app: App, session: Session, told: Told | None) -> Iterator[str]:
    """The lines to say. Raises UsageError where there is nothing to report of yet."""
    match verb:
        case Verb.WHY:
            from llmr.render.decision import PIPE_WIDTH, why_lines

            if told is None:
                raise UsageError("nothing was asked yet")
            width, selection = screen().width, told.transcript.selection
            decided = why_lines(selection, width - 2 if width else PIPE_WIDTH) if selection is not None else []
            yield from (f"  {line}" for line in decided)
            yield from how_it_went_lines(told.transcript)
        case Verb.STATUS:
            from llmr.cli.providers import show_status

            show_status(app)
        case Verb.COST:
            yield from cost_lines(session)
        case _:
            yield from help_lines()
