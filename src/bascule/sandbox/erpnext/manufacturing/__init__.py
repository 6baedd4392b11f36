"""Manufacturing: bills of materials and work orders."""

from bascule.sandbox.core.doctypes import provide

provide(__package__)
