"""`llmr rank`: the decision of the real code path, without a request."""

import json

from llmr.app import opened
from llmr.chat import ChatRequest
from llmr.cli.choices import check_strategy
from llmr.cli.exit_codes import ExitCode
from llmr.cli.listing import configured, told
from llmr.cli.output import print_line
from llmr.cli.screen import screen, show
from llmr.render.decision import decision_json, decision_view, flip_view, rule_lines
from llmr.routing.decision_record import DecisionRecord
from llmr.routing.selector import Barrier


def run_rank(request: ChatRequest, *, config_file: str | None, as_json: bool, verbose: bool) -> int:
    """Print the decision. Raises LlmrError. The code says whether anyone could be asked."""
    check_strategy(request.strategy)
    config = configured(config_file)
    with opened(config) as app:
        selection = app.router.rank(request)
        if as_json:
            print_line(json.dumps(decision_json(selection), allow_nan=False))
        else:
            on = screen()
            show(decision_view(selection, on.width, on.glyphs), on)
            record = DecisionRecord.of(selection)
            show(flip_view(record.rivals, record.ranked[0].key, on.width) if record.ranked else (), on)
            for line in rule_lines(selection) if verbose else ():
                print_line(line)
        told(app)
    if selection.ranked:
        return int(ExitCode.OK)
    passing = any(r.barrier in (Barrier.CIRCUIT, Barrier.LIMIT) for r in selection.rejected)
    return int(ExitCode.ALL_DOWN if passing else ExitCode.NOT_CONFIGURED)
