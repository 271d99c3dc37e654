"""`python -m llmr.model_table`: make the shipped models.json, or say where its two sources disagree.

For maintainers; users have `llmr models refresh`. The day may be given, so that the same packages make the same file.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from llmr.model_table import genai, litellm
from llmr.model_table.build import PRICED, PROVIDERS, differences, document, text_of
from llmr.model_table.offer import Source, SourceMissing

SHIPPED = Path(__file__).resolve().parents[1] / "data" / "models.json"


def main(arguments: Sequence[str]) -> int:
    """0: done; 2: a package is missing."""
    parser = argparse.ArgumentParser(prog="python -m llmr.model_table", description=__doc__)
    parser.add_argument("--litellm", type=Path, help="a litellm wheel or its JSON; default: the installed one")
    parser.add_argument("--day", type=date.fromisoformat, default=datetime.now(UTC).date(), help="YYYY-MM-DD")
    parser.add_argument("--output", type=Path, default=SHIPPED)
    parser.add_argument("--check", action="store_true", help="list prices that differ by more than 5 %%; write nothing")
    said = parser.parse_args(arguments)
    try:
        sources = genai.read(PRICED, said.day), litellm.read(PROVIDERS, said.litellm)
    except SourceMissing as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if said.check:
        return _check(*sources)
    text = text_of(document(*sources, said.day))
    said.output.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{said.output}: {len(text.encode()):,} bytes\n")
    return 0


def _check(prices: Source, facts: Source) -> int:
    found = list(differences(prices, facts))
    for one in found:
        sys.stdout.write(f"{one.key:60} {one.figure:17} {one.ours_usd:>10g} {one.other_usd:>10g}\n")
    models = len({one.key for one in found})
    sys.stdout.write(f"{len(found)} figures of {models} models differ between {prices.name} {prices.version} and ")
    sys.stdout.write(f"{facts.name} {facts.version}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
