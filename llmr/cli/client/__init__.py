"""The interactive client: `llmr chat` without a prompt, on a terminal.

    commands   a typed line → an action                       pure
    session    what is asked, of whom, after what was said    pure
    settings   whom to ask from now on, and how               pure
    turns      one request of it, as one-shot chat asks it
    files      what goes along
    shell      a command of the person's own, and its output
    giving     the conversation into a file, the answer to the clipboard
    reports    what there is to know: why, status, cost, help
    views      the line at the bottom, what it cost            pure
    reading    lines from the person: prompt-toolkit, or input() where the terminal is dumb
    client     reads, does, says; the only loop

Between turns it stands on the main screen, never on one of its own: scroll-back, copying and search stay the terminal's.
"""
