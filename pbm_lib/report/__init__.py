"""The customer's report of a run: charts, findings, tables, sizing. May import measure and what measure may import."""
