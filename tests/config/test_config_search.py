"""Which file speaks, and how files are laid over each other."""

import os
from pathlib import Path
from typing import Any

import pytest

from llmr.catalog import Strategy
from llmr.config.environment import Environment
from llmr.config.load import load, looked_at
from llmr.config.search import shipped_routing_file
from llmr.errors import ConfigError, TrustError

World = Any  # the fixture, see conftest.py
ONE_NAME = '[models.mine]\ncandidates = ["openai/gpt-4o"]\n'


def test_without_any_file_the_shipped_one_speaks(world: World) -> None:
    config = world.load()
    assert config.catalog.default_model == "everyday"
    assert config.sources[-1] == shipped_routing_file()
    assert config.notices == ()


def test_the_users_file_is_laid_over_the_shipped_one(world: World) -> None:
    config = world.user(f'strategy = "cost"\n{ONE_NAME}').load()
    assert config.policy.strategy is Strategy.COST
    assert config.catalog.default_model == "everyday"
    assert {"mine", "gpt-4o"} <= set(config.catalog.names)
    assert config.sources[-1] == world.user_file


def test_every_place_where_a_file_would_speak_is_looked_at_whether_there_is_one_or_not(tmp_path: Path) -> None:
    here = tmp_path / "project" / "deep"
    here.mkdir(parents=True)
    (tmp_path / "project" / ".git").mkdir()
    environment = Environment.of({"HOME": str(tmp_path)}, cwd=here)
    looked = {str(path.relative_to(tmp_path)) for path in looked_at(environment)}
    own = {".config/llmr/routing.toml", ".config/llmr/credentials.toml", "project/routing.toml"}
    assert own | {"project/deep/routing.toml"} <= looked
    named = looked_at(environment, config_file=Path("mine.toml"))
    assert here / "mine.toml" in named
    assert here / "routing.toml" not in named


SHIPPED_RULES = ["private stays at home", "long prompts prefer long windows"]


@pytest.mark.parametrize("own", [None, "", 'strategy = "cost"', ONE_NAME])
def test_the_shipped_rules_speak_until_the_user_says_rules(world: World, own: str | None) -> None:
    """A file of one's own that speaks of other things must not take the protection away unnoticed."""
    config = (world if own is None else world.user(own)).load()
    assert [rule.name for rule in config.rules] == SHIPPED_RULES


@pytest.mark.parametrize(
    ("own", "names"), [("rules = []", []), ('[[rules]]\nname = "mine"\navoid = ["groq/*"]\n', ["mine"])]
)
def test_the_users_own_rules_replace_the_shipped_ones_none_at_all_too(
    world: World, tmp_path: Path, own: str, names: list[str]
) -> None:
    given = tmp_path / "given.toml"
    given.write_text(own)
    assert [rule.name for rule in world.load(config_file=given).rules] == names
    assert [rule.name for rule in world.user(own).load().rules] == names


def test_a_name_of_the_users_replaces_the_shipped_one_whole(world: World) -> None:
    world.user('[models.gpt-4o]\ncandidates = ["groq/x"]\nfallback = ["claude-sonnet"]\n')
    assert world.load().catalog.names["gpt-4o"].candidates == ("groq/x",)
    world.repo('[models.gpt-4o]\ncandidates = ["xai/x"]\n')
    assert world.load().catalog.names["gpt-4o"].fallback == ()


def test_a_named_config_file_stands_alone(world: World, tmp_path: Path) -> None:
    world.user('strategy = "cost"\n').repo('strategy = "quality"\n')
    given = tmp_path / "mine.toml"
    given.write_text(ONE_NAME)
    config = world.load(config_file=given)
    assert config.policy.strategy is Strategy.BALANCED
    assert "mine" in config.catalog.names


def test_config_option_beats_the_variable(world: World, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('strategy = "cost"')
    (tmp_path / "b.toml").write_text('strategy = "quality"')
    by_variable = {"LLMR_CONFIG": str(tmp_path / "b.toml")}
    assert world.load(**by_variable).policy.strategy is Strategy.QUALITY
    assert world.load(config_file=tmp_path / "a.toml", **by_variable).policy.strategy is Strategy.COST


def test_a_relative_config_file_is_relative_to_the_working_directory(world: World) -> None:
    (world.project / "x.toml").write_text('strategy = "cost"')
    assert world.load(config_file=Path("x.toml")).policy.strategy is Strategy.COST


def test_a_config_file_that_is_not_there_is_named(world: World) -> None:
    with pytest.raises(ConfigError, match=r"^nowhere\.toml: no such file$"):
        world.load(config_file=Path("nowhere.toml"))
    with pytest.raises(ConfigError, match=r"^LLMR_CONFIG: nowhere\.toml: no such file$"):
        world.load(LLMR_CONFIG="nowhere.toml")


def test_an_empty_llmr_config_is_no_name(world: World) -> None:
    assert world.load(LLMR_CONFIG="").catalog.default_model == "everyday"


def test_the_project_file_is_found_from_a_directory_below_it(world: World) -> None:
    below = world.project / "a" / "b"
    below.mkdir(parents=True)
    world.repo('strategy = "cost"')
    config = world.load(cwd=below)
    assert config.policy.strategy is Strategy.COST
    assert config.sources[-1] == world.project_file


def test_the_search_stops_at_the_git_root(world: World) -> None:
    (world.root / "routing.toml").write_text('strategy = "cost"')
    assert world.load().policy.strategy is Strategy.BALANCED


def test_the_search_stops_before_the_home_directory(world: World) -> None:
    (world.home / "routing.toml").write_text('strategy = "cost"')
    inside = world.home / "code"
    inside.mkdir()
    assert world.load(cwd=inside).policy.strategy is Strategy.BALANCED
    assert world.load(cwd=world.home).policy.strategy is Strategy.BALANCED


def test_the_home_directory_is_no_project_under_another_name_either(world: World, tmp_path: Path) -> None:
    (world.home / "routing.toml").write_text('strategy = "cost"')
    (tmp_path / "link").symlink_to(world.home)
    environment = Environment.of({"HOME": str(tmp_path / "link")}, cwd=world.home)
    assert load(environment).policy.strategy is Strategy.BALANCED


def test_the_source_tree_is_not_its_own_project(world: World) -> None:
    config = world.load(cwd=shipped_routing_file().parent)
    assert config.notices == ()
    assert len(config.sources) == 2


def test_a_user_file_that_is_a_link_is_followed(world: World, tmp_path: Path) -> None:
    (tmp_path / "dotfiles.toml").write_text('strategy = "cost"')
    world.user_file.parent.mkdir(parents=True)
    world.user_file.symlink_to(tmp_path / "dotfiles.toml")
    assert world.load().policy.strategy is Strategy.COST


def test_a_user_file_that_others_can_write_is_an_error_that_says_how_to_mend_it(world: World) -> None:
    world.user('strategy = "cost"')
    world.user_file.chmod(0o666)
    with pytest.raises(TrustError, match=r"^~/\.config/llmr/routing\.toml: mode 0666 .*; run: chmod go-w '?/"):
        world.load()


@pytest.mark.parametrize("variables", [{}, {"HOME": ""}, {"HOME": "relative"}, {"HOME": "/nonexistent"}])
def test_a_missing_home_is_no_error(world: World, variables: dict[str, str]) -> None:
    config = load(Environment.of(variables, cwd=world.project))
    assert config.catalog.default_model == "everyday"
    homeless = variables.get("HOME") != "/nonexistent"
    assert (config.state_path is None, config.state_note is not None) == (homeless, homeless)


def test_a_working_directory_that_is_gone_is_no_error(world: World) -> None:
    environment = Environment.of({"HOME": str(world.home)}, cwd=None)
    assert load(environment).catalog.default_model == "everyday"
    with pytest.raises(ConfigError, match="working directory"):
        load(environment, config_file=Path("x.toml"))


def test_relative_xdg_directories_are_ignored(world: World) -> None:
    environment = world.environment(XDG_CONFIG_HOME="conf", XDG_STATE_HOME="", XDG_CACHE_HOME=str(world.root / "c"))
    assert environment.config_dir == world.home / ".config/llmr"
    assert environment.state_dir == world.home / ".local/state/llmr"
    assert environment.cache_dir == world.root / "c/llmr"


def test_state_path_is_where_it_is_said(world: World) -> None:
    assert world.load().state_path == world.home / ".local/state/llmr/state.db"
    assert world.user('[state]\npath = "~/s.db"').load().state_path == world.home / "s.db"
    assert world.user('[state]\npath = "s.db"').load().state_path == world.user_file.parent / "s.db"
    assert world.user('[state]\npath = "/abs/s.db"').load().state_path == Path("/abs/s.db")
    wished = world.user('[state]\npath = ":memory:"').load()
    assert (wished.state_path, wished.state_note) == (None, None), "who asked for it is told nothing"
    assert world.load(LLMR_STATE__PATH="here.db").state_path == world.project / "here.db"


def test_the_search_ends_at_a_directory_that_may_not_be_looked_at(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.stat

    def stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path == world.project:
            raise PermissionError(13, "no")
        return real(path, follow_symlinks=follow_symlinks)

    world.repo('strategy = "cost"')
    monkeypatch.setattr(Path, "stat", stat)
    assert world.load().policy.strategy is Strategy.BALANCED
