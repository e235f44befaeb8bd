"""The command line: demo, failover, lab, report, stop, uri. May import everything but __main__."""
