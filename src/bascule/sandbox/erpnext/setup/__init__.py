"""The company, its defaults, and what ERPNext's setup puts on every site."""

from bascule.sandbox.core.doctypes import provide

provide(__package__)
