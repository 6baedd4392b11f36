"""A record here and a document there, kept the same in both directions with no edit lost.

A record type is data (`customers`, `suppliers`): its fields, and where each lives in ERPNext.
`merge` decides, `sending` and `pulling` carry; what happened is in each record's history.
"""
