"""`make thorough` (`THOROUGH=yes`) looks at everything that the daily suite looks at in part:

- properties with a thousand examples instead of thirty, but for those that name a number of their own;
- the library's recipes in vessels of every size;
- all recorded batches through the whole daemon, not every third.
"""

from __future__ import annotations

import os

THOROUGH = bool(os.environ.get("THOROUGH"))
