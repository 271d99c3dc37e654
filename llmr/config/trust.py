"""`llmr config trust`: the user has read a project's routing.toml and stands for it (trust.md C4).

From then on that content counts as the user's own, but for what only the user's own file may say (project.py, SELF_VOUCHING)
and for keys of other providers (binding.py).

The file is read once: what is shown, what is vouched for and what is remembered are the same bytes, whoever writes meanwhile.
"""

from pathlib import Path

from llmr.config.environment import Environment
from llmr.config.files import read_config
from llmr.config.search import ROUTING_FILE, is_no_project, nearest_project_file
from llmr.config.trusted import Trusted, real_path, remember, sha256_of
from llmr.config.wording import plain
from llmr.dataclass import dataclass
from llmr.errors import ConfigError, TrustError


@dataclass(frozen=True, slots=True)
class Offer:
    """A project's file as it was read, for the user to stand for. `path` is without links."""

    path: Path
    content: bytes

    def accepted(self, environment: Environment) -> Trusted:
        """Remember that the user stands for these bytes at this path. Raises StateError where it cannot be remembered."""
        entry = Trusted(self.path, sha256_of(self.content))
        remember(entry, environment)
        return entry


def offered(path: Path | None, environment: Environment) -> Offer:
    """What trusting would stand for: a file, that of a directory, or None: the one found from here.

    Raises TrustError for what may never be trusted, ConfigError where there is nothing to trust.
    """
    file = _meant(path, environment)
    label = plain(str(file))
    if is_no_project(file.parent, environment):
        raise TrustError(
            f"{label}: / and the home directory are no project; your own file is ~/.config/llmr/routing.toml"
        )
    content = read_config(file, label, follow_links=False, owner=environment.uid)
    if content is None:
        raise ConfigError(f"{label}: no such file")
    return Offer(file, content)


def _meant(path: Path | None, environment: Environment) -> Path:
    if path is None:
        found = nearest_project_file(environment)
        if found is None:
            raise ConfigError("there is no routing.toml here, up to the project's root")
        return real_path(found)
    if not path.is_absolute():
        if environment.cwd is None:
            raise ConfigError("the working directory does not exist")
        path = environment.cwd / path
    return real_path(path / ROUTING_FILE if path.is_dir() else path)
