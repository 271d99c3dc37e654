"""What models cost, hold and can do: one generated file, `llmr/data/models.json`, how it is read and how it is made.

Every figure in it is an estimate that somebody else keeps: prices come from genai-prices, windows and capabilities from
LiteLLM's model table. So the user's own routing.toml outranks it, what a provider itself reports outranks both, and what
nobody knows stays unknown and is never 0. Nothing here reaches the network, and running llmr needs neither package: the
file is read as it is (`rows.py`, `table.py`). The packages are imported only where the file is made (`genai.py`,
`litellm.py`, `build.py`), by `python -m llmr.model_table` and `llmr models refresh`.
"""
