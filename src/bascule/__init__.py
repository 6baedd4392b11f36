"""Bascule: the two-way bridge to ERPNext."""

__version__ = "0.1.0"
