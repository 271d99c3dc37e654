"""The configuration: files and variables in, one frozen `Config` out.

    environment.py   the process's variables and directories, read once
    search.py        which files speak, and whether each may be opened at all (files.py, trust.py)
    snapshot.py      seen these very bytes before? then the answer is on disk, and nothing below is imported
    settle.py        parse, sieve a project's file (project.py), lay all over each other (merge.py), validate (validation.py
                     with schema.py, checks.py and its parts, urls.py, binding.py)
    names.py         when something changed: the names that shells complete
    build.py         plain dict + keys of this process → Config

A normal run reads the snapshot: pydantic-settings costs 174 ms, a JSON file one or two (cli.md, Yardsticks). What was
decided about trust, and why, stands in project.py (who may set what) and binding.py (which key goes where).
"""
