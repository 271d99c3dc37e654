"""A scriptable provider over real loopback sockets.

Most faults that matter are bytes on a socket: half a header, a reset, a stall, a clean end in the wrong
place. A mocked client cannot show them and a library server will not send them, so the lab writes its own
bytes. It ships, because the same three providers serve the tests, `llmr chat --demo` and `llmr drill`.

    with LabThread([LabProvider("a", [Behavior(status=500), Behavior(text="hi")])]) as lab:
        lab.url("a")                    # a base URL
        lab.provider("a").requests      # what arrived

Files: behavior.py what to do · dialect.py, openai.py, … how it is said · provider.py script and record ·
http1.py bytes · reply.py one reply · server.py sockets · demo.py the three demo providers ·
script.py, __main__.py a lab from a file, in a process of its own.
"""

from llmr.lab.behavior import (
    HTML_502,
    Behavior,
    Delay,
    Drip,
    Encoding,
    Fault,
    Framing,
    LabToolCall,
    LogNormal,
    Part,
    html_page,
    rate_limited,
    redirect,
)
from llmr.lab.fact import Fact
from llmr.lab.provider import LabProvider, LabRequest, Script
from llmr.lab.server import Lab, LabThread

__all__ = [
    "HTML_502",
    "Behavior",
    "Delay",
    "Drip",
    "Encoding",
    "Fact",
    "Fault",
    "Framing",
    "Lab",
    "LabProvider",
    "LabRequest",
    "LabThread",
    "LabToolCall",
    "LogNormal",
    "Part",
    "Script",
    "html_page",
    "rate_limited",
    "redirect",
]
