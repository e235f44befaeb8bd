"""The command line: demo, failover, lab, report, stop. May import everything but __main__."""
