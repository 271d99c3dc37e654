"""`/save` and `/copy`: what was said, given to somebody else."""

from collections.abc import Collection

from llmr.cli.client.files import path_named
from llmr.cli.client.session import Session
from llmr.config.environment import Environment
from llmr.errors import LlmrError, UsageError


def copied_answer(session: Session, environment: Environment, keys: Collection[str]) -> str:
    """Copy the last answer; what to say of that. `keys`: variables that no program is given. Raises UsageError."""
    from llmr.cli.clipboard import copied

    last = session.last
    if last is None or not last.answer_text:
        raise UsageError("there is no answer to copy")
    return copied(last.answer_text, environment, keys)


def saved_as(name: str, session: Session, conversation_id: str) -> str:
    """Write the conversation into a new file; what to say of that. Raises UsageError."""
    from llmr.cli.file_target import FileTarget
    from llmr.render.conversation import markdown_lines

    if not session.line:
        raise UsageError("there is nothing to save")
    path = path_named(name)
    if path.exists():
        raise UsageError(f"{name} is there already; name another file")
    lines = markdown_lines(conversation_id, session.line)
    try:
        FileTarget(str(path)).write(("\n".join(lines) + "\n").encode("utf-8", "replace"))
    except LlmrError as error:
        raise UsageError(str(error)) from error
    return f"saved as {name}"
