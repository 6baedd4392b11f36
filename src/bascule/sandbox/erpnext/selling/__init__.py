"""Selling, CRM and Support: leads, quotations, sales orders, issues."""

from bascule.sandbox.core.doctypes import provide

provide(__package__)
