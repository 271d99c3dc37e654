"""Which word counts about a model, and what `llmr models` shows of it, through the real command line."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from llmr.catalog import Capabilities, Price
from llmr.config.build import Config
from llmr.config.environment import Environment
from llmr.config.load import load
from llmr.config.model_files import SHIPPED

KEY = "sk-test-0123456789abcdef"
SETTINGS = """
[models.mine]
candidates = ["openai/gpt-4o", "ollama/llama3.2", "work/gpt-4o"]

[providers.work]
base_url = "https://llm.corp.example/v1"

[providers.groq.models."openai/gpt-oss-120b"]
price = { input_usd = 7, output_usd = 8 }
tools = false
"""


@dataclass
class Home:
    """A home directory with settings."""

    path: Path

    @property
    def table(self) -> Path:
        return self.path / ".local/share/llmr/models.json"

    def load(self) -> Config:
        return load(Environment.of({"HOME": str(self.path)}, cwd=self.path), config_file=self.path / "my.toml")

    def write_table(self, made: str, **openai: list[Any]) -> None:
        self.table.parent.mkdir(parents=True, exist_ok=True)
        document = {"made": made, "format": 1, "sources": [], "providers": {"openai": {"models": openai}}}
        self.table.write_text(json.dumps(document, separators=(",", ":")))
        self.table.chmod(0o600)

    def run(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        environment = {"HOME": str(self.path), "LLMR_CONFIG": str(self.path / "my.toml")}
        return subprocess.run(
            [sys.executable, "-P", "-m", "llmr", *arguments],
            env=environment | variables, cwd=self.path, capture_output=True, text=True, check=False,
        )  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "my.toml").write_text(SETTINGS)
    return Home(tmp_path)


def price(config: Config, key: str) -> Price | None:
    model = config.catalog.model(key)
    assert model is not None
    return model.price


def test_a_named_model_has_the_tables_price_and_capabilities(home: Home) -> None:
    for config in (home.load(), home.load()):  # settled, then from the snapshot
        model = config.catalog.models["openai/gpt-4o"]
        assert model.price == Price(2.5, 10, 1.25, web_search_usd=10_000)
        assert model.capabilities.context_window_tokens == 128_000
        assert model.capabilities.tools is True


def test_a_model_that_nobody_named_is_looked_up_when_it_is_asked_for(home: Home) -> None:
    assert price(home.load(), "openai/gpt-4o-mini-2024-07-18") == Price(0.15, 0.6, 0.075, web_search_usd=10_000)
    assert price(home.load(), "openai/no-such-model") is None


def test_the_users_word_outranks_the_table_and_leaves_the_rest(home: Home) -> None:
    model = home.load().catalog.models["groq/openai/gpt-oss-120b"]
    assert model.price == Price(7, 8)
    assert model.capabilities.tools is False
    assert model.capabilities.context_window_tokens == 131_072


def test_ones_own_machine_costs_nothing_and_a_strangers_price_is_unknown(home: Home) -> None:
    config = home.load()
    assert price(config, "ollama/llama3.2") == price(config, "ollama/anything") == Price(0, 0)
    assert price(config, "work/gpt-4o") is None
    assert config.catalog.models["work/gpt-4o"].capabilities == Capabilities()


def test_a_younger_table_of_the_users_speaks_at_once(home: Home) -> None:
    home.load()
    home.write_table("2999-01-01", **{"gpt-4o": [5, 4, None, [3, 2]]})
    config = home.load()
    assert price(config, "openai/gpt-4o") == Price(3, 2)
    assert price(config, "openai/gpt-4o-mini") is None
    home.table.unlink()
    assert price(home.load(), "openai/gpt-4o") == Price(2.5, 10, 1.25, web_search_usd=10_000)


def test_an_older_table_of_the_users_does_not(home: Home) -> None:
    home.write_table("2020-01-01", **{"gpt-4o": [5, 4, None, [3, 2]]})
    assert price(home.load(), "openai/gpt-4o") == Price(2.5, 10, 1.25, web_search_usd=10_000)


@pytest.mark.parametrize("content", ["", "{", '{"made":"2999-01-01","format":99,"providers":{}}'])
def test_a_broken_table_is_told_of_and_the_shipped_one_stands(home: Home, content: str) -> None:
    home.write_table("2999-01-01")
    home.table.write_text(content)
    config = home.load()
    assert price(config, "openai/gpt-4o") == Price(2.5, 10, 1.25, web_search_usd=10_000)
    assert price(config, "openai/gpt-4.1") is not None
    assert len(config.notices) == 1
    assert "llmr models refresh" in config.notices[0]


def test_a_row_that_cannot_be_read_says_nothing(home: Home) -> None:
    home.write_table("2999-01-01", **{"gpt-4o": ["much", None, None, [3, 2]], "gpt-4.1": [None, None, None, 5]})
    assert price(home.load(), "openai/gpt-4o") is None
    assert price(home.load(), "openai/gpt-4.1") is None


def test_a_normal_run_reads_no_table(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.load()
    monkeypatch.setitem(sys.modules, "llmr.model_table.table", None)  # importing it would fail
    assert price(home.load(), "openai/gpt-4o") is not None


# The command


def test_your_names_come_first_then_every_model_of_the_table(home: Home) -> None:
    ended = home.run("models", "gpt-4o", OPENAI_API_KEY=KEY)
    assert ended.returncode == 0, ended.stderr
    lines = [line.split() for line in ended.stdout.splitlines()]
    assert lines[0][:3] == ["name", "candidate", "window"]
    names = [line[0] for line in lines[1:] if line]
    row = next(line for line in lines if line and line[0] == "openai/gpt-4o")
    assert row[1:7] == ["on", "128k", "16.4k", "2.5", "1.25", "10"]
    assert names[0] == "gpt-4o"
    assert names.index("mine") < names.index("openai/gpt-4o") < names.index("openai/gpt-4o-2024-05-13")
    assert "estimates of" in ended.stderr


def test_a_name_of_ones_own_is_found_by_its_own_name(home: Home) -> None:
    lines = home.run("models", "mine").stdout.splitlines()
    assert lines[1].split()[:2] == ["mine", "openai/gpt-4o"]
    assert [line.split()[0] for line in lines[2:4]] == ["ollama/llama3.2", "work/gpt-4o"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--provider", "cerebras"), lambda one: one["provider"] == "cerebras"),
        (("--on",), lambda one: one["on"]),
        (("--takes", "audio", "--takes", "tools"), lambda one: one["audio"] and one["tools"]),
        (("GPT-4*",), lambda one: one["model"].startswith("gpt-4")),
        (("list", "gpt-oss", "-p", "groq"), lambda one: one["provider"] == "groq" and "gpt-oss" in one["name"]),
    ],
)
def test_filters_narrow_the_list(home: Home, arguments: tuple[str, ...], expected: Any) -> None:
    models = json.loads(home.run("models", *arguments, "--json").stdout)["models"]
    assert models
    assert all(map(expected, models))


def test_the_json_says_what_is_known_where_from_and_what_is_not(home: Home) -> None:
    document = json.loads(home.run("models", "--json", GROQ_API_KEY=KEY).stdout)
    assert document["schema"] == "llmr.models/1"
    assert document["table"]["made"] == json.loads(SHIPPED.read_bytes())["made"]
    models = {model["name"]: model for model in document["models"]}
    assert len(models) == len(document["models"]) > 1000
    groq = models["groq/openai/gpt-oss-120b"]
    assert (groq["on"], groq["price_from"], groq["price"]["input_usd"], groq["tools"]) == (
        True,
        "configuration",
        7,
        False,
    )
    assert (models["ollama/llama3.2"]["price_from"], models["ollama/llama3.2"]["price"]["input_usd"]) == ("local", 0)
    assert (models["work/gpt-4o"]["price"], models["work/gpt-4o"]["price_from"]) == (None, None)
    assert models["anthropic/claude-sonnet-4-5"]["price_from"] == "table"
    assert models["anthropic/claude-sonnet-4-5"]["price"]["long_context"]["over_tokens"] == 200_000
    assert "ANTHROPIC_API_KEY" in models["anthropic/claude-sonnet-4-5"]["off_reason"]
    mine = next(named for named in document["names"] if named["name"] == "mine")
    assert [one["name"] for one in mine["candidates"]] == ["openai/gpt-4o", "ollama/llama3.2", "work/gpt-4o"]
    assert KEY not in json.dumps(document)


def test_nothing_that_fits_is_said_and_an_unknown_provider_is_a_mistake(home: Home) -> None:
    none = home.run("models", "no-such-model")
    assert (none.returncode, none.stdout) == (0, "")
    assert "no model fits" in none.stderr
    unknown = home.run("models", "--provider", "opnai")
    assert unknown.returncode == 2
    assert "did you mean openai?" in unknown.stderr
    strange = home.run("models", "--takes", "smells")
    assert strange.returncode == 2
    assert "unknown capability 'smells'; known: tools, images," in strange.stderr


def test_without_a_wish_only_your_names_are_listed_and_counted(home: Home) -> None:
    ended = home.run("models")
    rows = ended.stdout.splitlines()
    keys = {key for row in rows[1:-1] for key in row.split() if "/" in key}
    assert f"llmr: {len(keys)} models;" in ended.stderr
    assert "models are known in all" in rows[-1]


def test_refresh_makes_the_users_own_table(home: Home, tmp_path: Path) -> None:
    pytest.importorskip("genai_prices", reason="genai-prices is not installed")
    file = tmp_path / "table.json"
    entry = {"litellm_provider": "openai", "mode": "chat", "max_input_tokens": 77_000}
    file.write_text(json.dumps({"gpt-4o": entry}))
    ended = home.run("models", "refresh", "--litellm", str(file))
    assert ended.returncode == 0, ended.stderr
    assert str(home.table) in ended.stdout
    assert home.table.stat().st_mode & 0o777 == 0o600
    assert home.load().catalog.models["openai/gpt-4o"].capabilities.context_window_tokens == 77_000


def test_refresh_without_the_packages_names_the_command(home: Home) -> None:
    block = home.path / "blocked"
    block.mkdir()
    (block / "genai_prices.py").write_text("raise ImportError('blocked')\n")
    ended = home.run("models", "refresh", PYTHONPATH=str(block))
    assert ended.returncode == 3
    assert ended.stderr == "llmr: genai-prices is not installed: pip install 'genai-prices>=0.2.3,<0.3'\n"
    assert not home.table.exists()
