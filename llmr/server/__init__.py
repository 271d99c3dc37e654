"""`llmr serve`: the router behind the two APIs that tools already speak, on the user's own machine.

    socket ─▶ protocol.py   limits on connections, headers, slow senders, slow readers
           ─▶ gateway.py    the pipeline, in one place: log ─▶ guard ─▶ route ─▶ body ─▶ validation ─▶ router ─▶ answer
                 guard.py      Host, Origin, token
                 routes.py     the table of paths (route.py: a row of it), which openapi.py says as OpenAPI
                 body.py       content type, size, time, JSON; parsed once
                 schema*.py    pydantic: what may be said; validated once (schema_answers.py: what is answered, for the tests)
                 hints.py      what steers the routing: headers `x-llmr-*` and metadata `llmr_*`
                 embeddings.py  vectors, routed like a chat
                 answering.py  the router's events ─▶ an HTTP answer
                 problems.py   what went wrong ─▶ status, code, Retry-After
                 listings.py   what can be asked, and in which order
                 metrics.py    counters, for Prometheus; tracing.py: spans, for OpenTelemetry, where they are wished (trace.py)
           generations.py   the App behind it, and how reload.py puts another in its place
                 page.py, status.py  the page at /, and what it shows
           run.py           uvicorn around it: start, drain, stop; workers.py several of them

Starlette is not used: a dozen fixed paths are a table, and what a framework would bring beyond that (reading bodies without a
limit, URLs made of the Host header, which was CVE-2026-48710) is what the hardening contract (trust.md §4) has us do by hand.
Nothing here has a field that becomes a URL, opens one, writes a setting or runs a program.
"""
