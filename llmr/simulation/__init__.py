"""Routing under virtual time: the production judgement against described worlds, beside other policies. No clock, no I/O.

world.py       what is simulated, as values          luck.py        chance by key, the same for every policy
worlds.py      the built-in worlds                   network.py     what an attempt comes to
random_worlds.py  worlds by seed                     run.py         the clock, the queue of events, requests that overlap
described.py   worlds from a TOML table              production.py  llmr itself: registry, selector, handler, hedging
policies.py    the table of policies                 comparison.py  what others do
side_by_side.py  many policies over one scene       rows.py        the state store of one simulated llmr
figures.py     what comes out, in numbers            recovery.py    how soon traffic comes back
"""
