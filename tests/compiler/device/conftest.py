"""Simulated devices are scheduled more quickly here."""

from tests import simulator

simulator.install()
