"""`/model`, `/provider`, `/strategy`, `/system`: what holds from the next prompt on."""

from dataclasses import replace

from llmr.cli.choices import check_strategy
from llmr.cli.client.commands import Verb
from llmr.cli.client.session import Session


def with_setting(session: Session, verb: Verb, argument: str) -> tuple[Session, str]:
    """The session as it is from now on, and what to say of that. Raises UsageError for a strategy that there is none of."""
    match verb:
        case Verb.MODEL:
            return replace(session, model=argument), f"asking {argument or 'the default model'} from now on"
        case Verb.PROVIDER:
            who = f"only {argument}" if argument else "any provider"
            return replace(session, provider=argument or None), f"asking {who} from now on"
        case Verb.STRATEGY:
            check_strategy(argument or None)
            how = f"by {argument}" if argument else "as configured"
            return replace(session, strategy=argument or None), f"ranking {how} from now on"
        case _ if argument:
            return replace(session, new_system=argument), "said with the next prompt, and from then on"
        case _:
            return session, session.system or "no instructions"
