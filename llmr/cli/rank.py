"""`llmr rank`: the decision of the real code path, without a request."""

import json

from llmr.app import opened
from llmr.chat import ChatRequest
from llmr.cli.choices import check_strategy
from llmr.cli.exit_codes import ExitCode
from llmr.cli.listing import configured, told, unknown_tags
from llmr.cli.output import print_line
from llmr.cli.say import say
from llmr.cli.screen import screen, show
from llmr.errors import ErrorKind
from llmr.render.decision import decision_json, decision_view, flip_view, rule_lines
from llmr.routing.decision_record import DecisionRecord
from llmr.routing.selector import Barrier, Selection


def run_rank(request: ChatRequest, *, config_file: str | None, as_json: bool, verbose: bool) -> int:
    """Print the decision. Raises LlmrError. The code says whether anyone could be asked."""
    check_strategy(request.strategy)
    config = configured(config_file)
    for notice in unknown_tags(request, config):
        say(f"llmr: {notice}")
    with opened(config) as app:
        selection = app.router.rank(request)
        if as_json:
            print_line(json.dumps(decision_json(selection), allow_nan=False))
        else:
            on = screen()
            show(decision_view(selection, on.width, on.glyphs, app.clock.now()), on)
            record = DecisionRecord.of(selection)
            show(flip_view(record.rivals, record.ranked[0].key, on.width) if record.ranked else (), on)
            for line in rule_lines(selection) if verbose else ():
                print_line(line)
        told(app)
    return int(_code(selection))


def _code(selection: Selection) -> ExitCode:
    """What `chat` would end with now, if nobody can be asked."""
    if selection.ranked:
        return ExitCode.OK
    if any(r.barrier in (Barrier.CIRCUIT, Barrier.LIMIT) for r in selection.rejected):
        return ExitCode.ALL_DOWN
    if any(r.kind is ErrorKind.BUDGET for r in selection.rejected):
        return ExitCode.BUDGET
    return ExitCode.NOT_CONFIGURED
