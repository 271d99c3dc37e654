"""The console script. `--version` is answered before the argument parser is imported: it costs what Python costs."""

import gc
import sys

GC_THRESHOLD = 100_000  # imports make few cycles and many objects: the default of 700 costs a tenth of a run's CPU


def main() -> None:
    """Entry point of `llmr`. Exits with the codes of llmr/cli/exit_codes.py."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        from llmr import __version__

        sys.stdout.write(f"llmr {__version__}\n")
        return
    gc.set_threshold(GC_THRESHOLD, 50, 50)
    try:
        from llmr.cli import run

        code = run(arguments)
    except KeyboardInterrupt:  # before the answer has its own handlers
        code = 130
    except Exception as error:  # noqa: BLE001 - the one place: a bug still ends in one line and a code
        from llmr.cli import crashed

        code = crashed(error)
    sys.exit(code)


if __name__ == "__main__":
    main()
