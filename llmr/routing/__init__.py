"""Pure judgement: who is asked, in which order, after how long, and when to stop. No clock, no socket, no file.

what may be asked       rules/  situation.py  fit.py  tokens.py
what is known of it     health.py, made of:
                          circuits   circuit.py  breaker.py
                          latency    latency_row.py  latency.py  estimate.py
                          limits     rate_limit.py  learnt_limits.py  spending.py  budget.py
in which order          selector.py  selection.py  score.py  fate.py
why, and what else      sensitivity.py  decision_record.py  tally.py
what next               fallback.py  action.py  first_token.py  hedging.py  disposition.py  seam.py
how it ended            verdict.py
the settings of it all  policy.py
"""
