"""Fetching the weather grid: plan, budget, client, raw landing, gap ledger. No Spark in here."""
