"""What tests of every room share: one of each. The fixtures made of it are in tests/conftest.py."""

from pathlib import Path

ROOT = Path(__file__).parents[2]  # of the checkout
