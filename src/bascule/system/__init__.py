"""The status of the hub itself: a page for admins, the API, and metrics."""
