"""Customers and suppliers, with their Addresses and Contacts."""

from bascule.sandbox.core.doctypes import provide

provide(__package__)
