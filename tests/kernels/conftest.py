import pytest

from tinyticket.kernels.cpu import threads


@pytest.fixture
def _chunks(monkeypatch):
    """Let kernels cut their work into as many chunks as asked for, more than there are threads too."""
    monkeypatch.setattr(threads, "available_threads", lambda: 3)
