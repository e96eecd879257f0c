"""A process that must not outlive its parent asks the kernel for a signal at the parent's end (Linux only).

Elsewhere, orphans are found and ended by the next start.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None


def dying_with_parent(sig: signal.Signals) -> Callable[[], None]:
    """A `preexec_fn` for children of this process: `sig` reaches the child when the thread that started it ends."""
    parent = os.getpid()

    def arrange() -> None:
        if _prctl is not None:
            _prctl(_PR_SET_PDEATHSIG, int(sig))
            # The parent may have ended between the fork and the line above.
            if os.getppid() != parent:
                os.kill(os.getpid(), sig)

    return arrange
