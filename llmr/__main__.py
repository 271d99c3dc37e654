"""The console script. `--version` is answered before the argument parser is imported: it costs what Python costs.

And it leaves as it came: a fifth of a run's CPU was Python taking apart, module by module, what the kernel takes back at once
(of 984 million instructions of a `chat`, 90). So where all is closed and written, the script ends the process itself.
"""

import atexit
import gc
import os
import sys

GC_THRESHOLD = 100_000  # imports make few cycles and many objects: the default of 700 costs a tenth of a run's CPU


def script() -> None:
    """What the installed command `llmr` runs: main(), and then no more than has to be done."""
    try:
        main()
    except SystemExit as done:
        if (done.code is None or isinstance(done.code, int)) and _may_leave_at_once():  # a text is Python's to print
            _leave_at_once(done.code or 0)
        raise


def main() -> None:
    """Entry point of `llmr`. Exits with the codes of llmr/cli/exit_codes.py."""
    _occupy_closed_descriptors()
    arguments = sys.argv[1:]
    try:
        code = _version() if arguments == ["--version"] else _run(arguments)
    except KeyboardInterrupt:  # before the answer has its own handlers
        code = 130
    except Exception as error:  # noqa: BLE001 - the one place: a bug still ends in one line and a code
        from llmr.cli import crashed

        code = crashed(error)
    sys.exit(code)


def _may_leave_at_once() -> bool:
    """Not while a thread is at work, nor under a debugger, a profiler or coverage, which have their say at the end; nor where
    Python is to go on (`-i`), or to warn of what is found in the taking apart (`-X dev`, `-W`)."""
    if sys.gettrace() or sys.getprofile() or _monitored():
        return False
    inspected = sys.flags.inspect or os.environ.get("PYTHONINSPECT")  # noqa: TID251 - as Python asks, at its end
    if inspected or sys.flags.dev_mode or sys.warnoptions:
        return False
    threading = sys.modules.get("threading")
    if threading is None:
        return True
    return all(thread.daemon or thread is threading.main_thread() for thread in threading.enumerate())


def _monitored() -> bool:
    """Whether a tool looks on in the way that Python has from 3.12 on."""
    monitoring = getattr(sys, "monitoring", None)
    return monitoring is not None and any(monitoring.get_tool(number) for number in range(6))  # it has six places


def _leave_at_once(code: int) -> None:
    """Do what Python does at its end but for the taking apart. Returns where something cannot be written: Python tells."""
    atexit._run_exitfuncs()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - what the interpreter calls
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except (OSError, ValueError, AttributeError):
        return
    os._exit(code)


def _occupy_closed_descriptors() -> None:
    """Let no file that is opened later become descriptor 0, 1 or 2, after `>&-`: an answer would be written into it.

    What stands in for stdout cannot be written to, so that whoever tries is told; stderr's stand-in swallows everything,
    the parser's words too, which would go to stdout otherwise.
    """
    for descriptor, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, flags)  # the lowest that is free: this one
    if sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison] - after `2>&-`
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for as long as the process lives


def _version() -> int:
    from llmr import __version__

    try:
        os.write(1, f"llmr {__version__}\n".encode())
    except BrokenPipeError:  # nobody reads
        return 141
    except OSError:  # closed or full
        return 12
    return 0


def _run(arguments: list[str]) -> int:
    gc.set_threshold(GC_THRESHOLD, 50, 50)
    from llmr.cli import run

    return run(arguments)


def _leave_the_working_directory() -> None:
    """`python -m` looks for every module in the working directory first: a `json.py` there would be run (trust.md T12)."""
    if sys.flags.safe_path or not sys.path:
        return
    try:
        here = os.getcwd()  # noqa: PTH109 - pathlib is not loaded yet
    except OSError:
        here = ""
    if sys.path[0] in {"", here}:
        del sys.path[0]
        if sys.stderr is not None:  # pyright: ignore[reportUnnecessaryComparison] - after `2>&-`
            os.write(
                2, b"llmr: `python -m llmr` may run modules of this directory; say `llmr`, or `python -P -m llmr`\n"
            )


if __name__ == "__main__":
    _leave_the_working_directory()
    script()
