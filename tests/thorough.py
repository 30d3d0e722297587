"""`make thorough` (`THOROUGH=yes`) looks at everything that the daily suite looks at in part:

- each property with a thousand examples instead of thirty;
- the library's recipes in vessels of every size;
- all recorded batches through the whole daemon, not every third.
"""

from __future__ import annotations

import os

THOROUGH = bool(os.environ.get("THOROUGH"))
