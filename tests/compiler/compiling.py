"""Whether something is compiled, or only run."""

import contextlib
from collections.abc import Iterator

import pytest
from numba.core.ccallback import CFunc
from numba.core.dispatcher import Dispatcher


@contextlib.contextmanager
def nothing_compiled() -> Iterator[None]:
    """Fail where a function is compiled, or its machine code loaded, for types that it has not been called with before."""

    def refuse(function, *given):
        raise AssertionError(f"{function} is compiled for {given}")

    with pytest.MonkeyPatch.context() as patch:
        for kind in (Dispatcher, CFunc):
            patch.setattr(kind, "compile", refuse)
        yield
