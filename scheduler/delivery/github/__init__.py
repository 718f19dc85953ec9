"""Dispatches to channels' repositories over our own connections, and the questions about their runs."""
