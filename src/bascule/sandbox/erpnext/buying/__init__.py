"""Buying: supplier quotations and purchase orders."""

from bascule.sandbox.core.doctypes import provide

provide(__package__)
