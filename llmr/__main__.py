"""The console script. `--version` is answered before the argument parser is imported: it costs what Python costs."""

import sys


def main() -> None:
    """Entry point of `llmr`. Exits with the codes of llmr/cli/exit_codes.py."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        from llmr import __version__

        sys.stdout.write(f"llmr {__version__}\n")
        return
    from llmr.cli import crashed, run

    try:
        code = run(arguments)
    except Exception as error:  # noqa: BLE001 - the one place: a bug still ends in one line and a code
        code = crashed(error)
    sys.exit(code)


if __name__ == "__main__":
    main()
