"""`make thorough` (`THOROUGH=yes`) looks at everything that the daily suite looks at in part:

- properties with a thousand examples instead of twenty-five, but for those that name a number of their own;
- the library's recipes and the balances of their batches in vessels of every size, and for longer;
- a silent and a late unit on each kind of Modbus line, not each on one;
- all recorded batches through the whole daemon, not every fifth.
"""

from __future__ import annotations

import os

THOROUGH = bool(os.environ.get("THOROUGH"))
EXAMPLES = 1000
"""Of each property, when it is looked at in full."""


def examples(brief: int) -> int:
    """How many a property takes that needs more than others."""
    return EXAMPLES if THOROUGH else brief
