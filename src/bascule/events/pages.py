"""The page Audit: who did what, when and from where."""

from fastapi import APIRouter

pages = APIRouter(include_in_schema=False)
