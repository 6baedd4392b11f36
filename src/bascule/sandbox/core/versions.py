"""Frappe's major versions by whose rules a site may go, and what tells them apart."""

FIFTEEN, SIXTEEN = 15, 16
MAJORS = (FIFTEEN, SIXTEEN)
# Where a desk user lands after signing in.
HOME = {FIFTEEN: "/app/home", SIXTEEN: "/desk"}
# What a site tells of itself: the versions of Frappe and of ERPNext.
TOLD = {FIFTEEN: ("15.44.2", "15.90.0"), SIXTEEN: ("16.13.0", "16.12.0")}
