"""What drawing Markdown costs per delta, at any length of the answer, and how many bytes leave.

    python -m bench.render [--tokens 1500 20000]

Two clocks: every delta painted by itself, which no run does, and as `llmr chat` does it: at most 20 paints a second, that
is 5 deltas a paint at 100 tokens a second. Beside it, in the same run, what most clients do: Rich's Markdown of the whole
answer so far, at each paint. Times are CPU; the limit that the design sets is 3 ms per delta.
"""

import argparse
import io
import time
from collections.abc import Iterator

from rich.console import Console
from rich.markdown import Markdown

from llmr.render.markdown.screen import MarkdownScreen

SECTION = """\
## Section {n}

Some text with **bold**, *slanted* and `code` words, a [link](https://example.org/{n}), and then more words, so that it wraps
at eighty columns; 日本語 too, and an emoji 👍. It goes on for a while, as answers do, and then there is a list:

- first item of section {n}, with **some** words
- second item

```python
def f{n}(x: int) -> str:
    return f"{{x}}"  # a comment
```

| name | value |
|------|------:|
| n    | {n}   |

"""
DELTA = 4  # characters


def deltas(tokens: int) -> Iterator[str]:
    """An answer of so many tokens, in pieces as providers send them."""
    text = "".join(SECTION.format(n=n) for n in range(tokens * DELTA // len(SECTION) + 1))[: tokens * DELTA]
    yield from (text[start : start + DELTA] for start in range(0, len(text), DELTA))


def append_only(tokens: int, every: int) -> tuple[list[float], int]:
    """CPU seconds of each delta, and the bytes written."""
    written: list[str] = []
    screen = MarkdownScreen(written.append, lambda: (80, 24), color=True)
    spent: list[float] = []
    for number, delta in enumerate(deltas(tokens)):
        start = time.process_time()
        screen.feed(delta)
        if number % every == 0:
            screen.paint()
        spent.append(time.process_time() - start)
    screen.end()
    return spent, len("".join(written).encode())


def whole_again(tokens: int, every: int) -> tuple[list[float], int]:
    """The same answer, drawn as a whole at each paint."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, height=24)
    text, spent, size = "", [], 0
    for number, delta in enumerate(deltas(tokens)):
        text += delta
        start = time.process_time()
        if number % every == 0:
            console.print(Markdown(text))
            size += len(out.getvalue().encode())
            out.seek(0)
            out.truncate()
        spent.append(time.process_time() - start)
    return spent, size


def row(name: str, spent: list[float], size: int) -> str:
    ordered = sorted(spent)
    p99, most = ordered[int(len(ordered) * 0.99)], ordered[-1]
    mean = sum(spent) / len(spent)
    return f"{name:34} {sum(spent) * 1e3:9.0f} {mean * 1e3:9.3f} {p99 * 1e3:8.2f} {most * 1e3:8.2f} {size / 1e3:9.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, nargs="+", default=[1_500, 20_000])
    append_only(200, 1)  # imports
    print(f"{'':34} {'total ms':>9} {'mean ms':>9} {'p99 ms':>8} {'max ms':>8} {'KB out':>9}")
    for tokens in parser.parse_args().tokens:
        for every in (1, 5):
            spent, size = append_only(tokens, every)
            print(row(f"llmr, {tokens:,} tokens, paint per {every}", spent, size))
            half = len(spent) // 2
            first, second = (sum(part) / len(part) * 1e3 for part in (spent[:half], spent[half:]))
            ratio = size / (tokens * DELTA)
            print(
                f"    first half {first:.3f} ms a delta, second half {second:.3f}; {ratio:.1f} bytes out per character"
            )
        if tokens <= 2_000:
            print(row(f"whole again, {tokens:,} tokens, per 5", *whole_again(tokens, 5)))


if __name__ == "__main__":
    main()
