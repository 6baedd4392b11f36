"""Accounts: invoices, payments, bank accounts."""

from bascule.sandbox.core.doctypes import provide

provide(__package__)
