"""Projects, tasks and timesheets."""

from bascule.sandbox.core.doctypes import provide

provide(__package__)
