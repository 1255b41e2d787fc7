"""The training loop, checkpoints and metrics; calling the package, ``custodiet.train(config)``, runs a training.

The room and the public function share the name `train`. Python binds a package to that name as soon as anything in it
is imported, so the package itself is made callable.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _CallablePackage(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from custodiet.train.run import train

        return train(*args, **kwargs)


sys.modules[__name__].__class__ = _CallablePackage
