"""Whether a data folder is still the one that a daemon took: it may be moved, and another put in its place, with a daemon of its
own. Each would take the files of the other for damaged, and set them aside.

    DATA/daemon.lock, the same file as when it was taken     ours
    another                                                  another daemon has been started here
    gone                                                     moved, or replaced; or somebody deleted the lock alone
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from collector.store.files import LOCK, StoreError, inode_of


@dataclass(frozen=True, slots=True)
class Hold:
    """Of who has taken a data folder, from then on."""

    data: Path
    inode: int

    @classmethod
    def of(cls, data: Path) -> Hold:
        """As it is now."""
        return cls(data, inode_of(data / LOCK))

    @property
    def lasts(self) -> bool:
        """The folder of this name is ours for certain."""
        return inode_of(self.data / LOCK) == self.inode

    @property
    def is_anothers(self) -> bool:
        """Another daemon has been started in a folder of this name."""
        return inode_of(self.data / LOCK) not in (0, self.inode)

    def check(self, still_there: bool = False) -> None:
        """Before something is written by name. `still_there`: what was written last is where it was. Raises StoreError."""
        if not self.lasts and (self.is_anothers or not still_there):
            by_another = ", and another daemon started there" if self.is_anothers else ""
            raise StoreError(
                f"{self.data} is no longer the folder that this daemon took: it was moved or replaced{by_another}. "
                "Nothing is written there: stop this daemon, or bring its folder back"
            )
