"""Benches: one file per question. `python -m bench.NAME [--quick]` prints one JSON object per line:
`figure, value, unit`, and where there is a rival, measured in the same run, `rival, rival_value, ratio`.
"""
