"""`llmr rank`: the decision of the real code path, without a request.

What is asked is read as `chat` reads it, by the same code, so that length, attachments and JSON count as they would there.
Where nobody can be asked, or a rule refuses, the exit code is the one that `chat` would end with now.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from math import inf
from random import Random
from typing import TYPE_CHECKING, Final

from llmr.app import App, opened
from llmr.cli.asking import asking_of, check_urls, request_for, request_of
from llmr.cli.exit_codes import ExitCode, exit_code_of
from llmr.cli.failure import note_of
from llmr.cli.listing import configured, told, unknown_tags
from llmr.cli.output import print_line
from llmr.cli.say import say
from llmr.cli.screen import Screen, screen, show
from llmr.config.environment import Environment
from llmr.errors import LlmrError
from llmr.render.decision import decision_view, key_view, rule_lines
from llmr.render.decision_json import decision_json, denial_json
from llmr.render.flips import flip_view, unflipped_view
from llmr.render.ink import ink, wrapped_line
from llmr.router.endings import all_failed, refuse_if_nobody_is_ready
from llmr.routing.action import GiveUp
from llmr.routing.decision_record import DecisionRecord
from llmr.routing.fallback import FallbackHandler
from llmr.routing.policy import Policy
from llmr.routing.rules import DeniedByRule, RuleTrace
from llmr.routing.selection import Selection

if TYPE_CHECKING:
    from llmr.cli.rank_command import RankOptions

_NO_CHANCE: Final = 0  # nothing is drawn


def run_rank(typed: "RankOptions") -> int:
    """Print the decision. Raises LlmrError. The code says whether anyone could be asked."""
    request = request_of(typed)
    if typed.schema is not None:
        from llmr.cli.schema import with_schema

        request = with_schema(request, typed.schema)
    asking = replace(asking_of(typed), may_be_empty=True)
    request = request_for(asking, request, typed.system, Environment.from_process(), typed.config)
    config = configured(typed.config)
    check_urls(request, asking, config)
    for notice in unknown_tags(request, config):
        say(f"llmr: {notice}")
    with opened(config) as app:
        try:
            selection = app.router.rank(request)
        except DeniedByRule as denied:
            _tell_denial(denied, as_json=typed.as_json, verbose=typed.verbose)
            raise
        error = nobody_to_ask(selection, config.policy, app.clock.now())
        if typed.as_json:
            note = None if error is None else asdict(note_of(error))
            print_line(json.dumps({**decision_json(selection), "error": note}, allow_nan=False))
        else:
            _tell(selection, app, verbose=typed.verbose)
        told(app)
    return int(ExitCode.OK if error is None else exit_code_of(error))


def nobody_to_ask(selection: Selection, policy: Policy, now: float) -> LlmrError | None:
    """What `chat` would end with at `now` (wall-clock seconds) if it did not wait; None: somebody can be asked."""
    if selection.ranked:
        return None
    try:
        refuse_if_nobody_is_ready(selection)
    except LlmrError as error:
        return error
    handler = FallbackHandler(selection, policy.fallback, policy.timeouts, Random(_NO_CHANCE))  # noqa: S311 - as said
    end = handler.next_action(now, inf)  # a request whose time is over gives up, with the failures of everybody
    return all_failed(selection.asked, end, now) if isinstance(end, GiveUp) else None


def _tell(selection: Selection, app: App, *, verbose: bool) -> None:
    on = screen()
    show(decision_view(selection, on.width, on.glyphs, app.clock.now()), on)
    record = DecisionRecord.of(selection)
    show(flip_view(record.rivals, record.ranked[0].key, on.width) if record.ranked else (), on)
    show(unflipped_view(selection.strategy, record, on.width), on)
    show(key_view(record.ranked, selection.strategy, on.width) if on.terminal else (), on)
    if verbose:
        _tell_rules(selection.trace, on)


def _tell_denial(denied: DeniedByRule, *, as_json: bool, verbose: bool) -> None:
    """What became of every rule, before the refusal itself is told on stderr."""
    if as_json:
        print_line(json.dumps({**denial_json(denied), "error": asdict(note_of(denied))}, allow_nan=False))
        return
    if verbose:
        _tell_rules(denied.trace, screen())


def _tell_rules(trace: Sequence[RuleTrace], on: Screen) -> None:
    for line in rule_lines(trace):
        show(wrapped_line(ink(line), on.width, " " * 6), on)
