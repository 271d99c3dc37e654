"""A normal run reads what was validated before, and imports neither pydantic nor tomllib."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from vouching import trust

from llmr.config.load import load
from llmr.errors import TrustError

World = Any  # the fixture, see conftest.py
KEY = "sk-test-0123456789abcdef"

HEAVY = {
    "pydantic", "pydantic_settings", "tomllib", "difflib", "urllib.request", "ssl", "http.client", "logging", "asyncio",
    "httpx", "sqlite3", "rich", "idna", "tempfile", "llmr.config.settle", "llmr.config.urls",
}  # fmt: skip

IMPORTS = """
import sys
from pathlib import Path
from llmr.config.environment import Environment
from llmr.config.load import load
config = load(Environment.from_process())
assert config.catalog.providers["openai"].key is not None
print(*sorted(sys.modules))
"""


def _modules(world: World, **variables: str) -> set[str]:
    environment = {"HOME": str(world.home), "OPENAI_API_KEY": KEY, **variables}
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], env=environment, cwd=world.project, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_a_fresh_snapshot_spares_the_heavy_imports(world: World) -> None:
    world.user('strategy = "cost"\n').repo('default_model = "gpt-4o"\n')
    first = _modules(world)
    assert {"pydantic", "pydantic_settings", "tomllib"} <= first
    assert _modules(world) & HEAVY == set()


def test_pydantic_plugins_are_not_loaded(world: World, tmp_path: Path) -> None:
    dist = tmp_path / "site" / "evil-1.0.dist-info"
    dist.mkdir(parents=True)
    (dist / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    (dist / "entry_points.txt").write_text("[pydantic]\nevil = evil_plugin:plugin\n")
    (tmp_path / "site/evil_plugin.py").write_text("raise SystemExit('a plugin was loaded')\n")
    assert "evil_plugin" not in _modules(world, PYTHONPATH=str(tmp_path / "site"))


def test_modules_in_the_working_directory_are_not_imported(world: World) -> None:
    for name in ("pydantic", "tomllib", "json"):
        (world.project / f"{name}.py").write_text("raise SystemExit('hijacked')\n")
    program = IMPORTS.replace("import sys\n", "import sys\nsys.path.remove('')\n", 1)  # as a console script starts
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"HOME": str(world.home), "OPENAI_API_KEY": KEY},
        cwd=world.project, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_snapshot_is_private_and_holds_no_key(world: World) -> None:
    world.user(
        '[providers.work]\nbase_url = "https://llm.corp.example"\napi_key_env = "WORK_KEY"\n'
        'headers = { X-A = { env = "A_VALUE" } }\n'
    )
    config = world.load(
        OPENAI_API_KEY=KEY, WORK_KEY="work-secret-1", A_VALUE="header-secret", HTTPS_PROXY="http://u:proxy-secret@p"
    )
    assert len(config.secrets()) == 4
    (snapshot,) = world.snapshots
    assert stat.S_IMODE(snapshot.stat().st_mode) == 0o600
    assert stat.S_IMODE(snapshot.parent.stat().st_mode) == 0o700
    for secret in config.secrets():
        assert secret.reveal() not in snapshot.read_text()


def test_the_same_again_comes_from_the_snapshot_and_is_equal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.user('[[rules]]\nwhen = { hours = "08:00-09:00" }\navoid = ["openai/*"]\n').repo('base_url = "x"\n')
    first = world.load(OPENAI_API_KEY=KEY, LLMR_TYPO="x")
    monkeypatch.setitem(sys.modules, "llmr.config.settle", None)  # importing it would fail
    assert world.load(OPENAI_API_KEY=KEY, LLMR_TYPO="x") == first
    assert len(first.notices) == 2


def _one_more_than(world: World, **variables: str) -> bool:
    before = world.snapshots
    world.load(**variables)
    return len(world.snapshots) == len(before) + 1


def test_any_change_of_what_it_is_made_of_is_another_snapshot(world: World) -> None:
    assert _one_more_than(world)
    assert not _one_more_than(world)
    world.user('strategy = "cost"')
    assert _one_more_than(world)
    world.user('strategy = "cost" ')
    assert _one_more_than(world)
    world.repo('strategy = "cost"')
    assert _one_more_than(world)
    trust(None, world.environment())
    assert _one_more_than(world)
    assert _one_more_than(world, LLMR_STRATEGY="cost")
    assert _one_more_than(world, LLMR_STRATEGY="latency")
    assert not _one_more_than(world, LLMR_COLOR="always", OPENAI_API_KEY=KEY, OTHER="x")


def test_another_version_of_llmr_does_not_read_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.load()
    monkeypatch.setattr("llmr.config.snapshot.__version__", "99.0.0")
    assert _one_more_than(world)


@pytest.mark.parametrize("damage", ["", "{}", "cut", "flip", "nest", "mode", "link", "directory", "swap"])
def test_a_broken_snapshot_is_ignored_and_replaced(world: World, damage: str) -> None:
    first = world.user('strategy = "cost"').load()
    (snapshot,) = world.snapshots
    whole = snapshot.read_bytes()
    match damage:
        case "cut":
            snapshot.write_bytes(whole[:-10])
        case "flip":
            snapshot.write_bytes(whole.replace(b"api.openai.com", b"api.opemai.com"))
        case "nest":
            snapshot.write_bytes(whole[:65] + b"[" * 200_000)
        case "mode":
            snapshot.chmod(0o666)
        case "link":
            snapshot.rename(snapshot.with_suffix(".real"))
            snapshot.symlink_to(snapshot.with_suffix(".real"))
        case "directory":
            snapshot.unlink()
            snapshot.mkdir()
        case "swap":  # a whole snapshot, under the name of another
            world.load(LLMR_STRATEGY="quality")
            (other,) = set(world.snapshots) - {snapshot}
            snapshot.write_bytes(other.read_bytes())
        case _:
            snapshot.write_text(damage)
    assert world.load() == first
    if damage != "directory":
        assert snapshot.read_bytes() == whole
        assert stat.S_IMODE(snapshot.lstat().st_mode) == 0o600


def test_without_a_place_for_it_nothing_fails(world: World) -> None:
    (world.home / ".cache").write_text("a file where the directory would be")
    assert world.load().catalog.default_model == "everyday"


def test_a_full_disk_fails_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    assert world.load().catalog.default_model == "everyday"
    assert world.snapshots == []
    assert list((world.home / ".cache/llmr/config").iterdir()) == []


def test_old_snapshots_are_forgotten(world: World) -> None:
    for number in range(35):
        world.load(LLMR_TIMEOUTS__STALL_S=str(number + 1))
    assert len(world.snapshots) == 32


def test_a_snapshot_is_json_with_its_own_checksum(world: World) -> None:
    world.load()
    checksum, payload = world.snapshots[0].read_text().split("\n")
    assert len(checksum) == 64
    assert set(json.loads(payload)) == {
        "policy", "default_model", "providers", "names", "rules", "state_path", "known", "notices",
            "protected", "conversations", "attachments",
    }  # fmt: skip


def test_strictness_is_kept_by_a_snapshot_too(world: World) -> None:
    world.repo('[state]\npath = "/x"\n')
    load(world.environment())
    for _ in range(2):
        with pytest.raises(TrustError, match=r"^routing\.toml:1: state: ignored"):
            world.load(strict=True)
