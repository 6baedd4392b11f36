"""Frappe's major versions by whose rules a site may go, and what tells them apart."""

FIFTEEN, SIXTEEN = 15, 16
MAJORS = (FIFTEEN, SIXTEEN)
# What a site tells of itself: the versions of Frappe and of ERPNext.
TOLD = {FIFTEEN: ("15.44.2", "15.90.0"), SIXTEEN: ("16.13.0", "16.12.0")}
# DocTypes that came with a version: a folder of a site's own definitions tells its version so.
CAME_WITH = {SIXTEEN: {"Item Wise Tax Detail", "Tax Withholding Entry", "Budget Distribution"}}
