"""The command line: demo, lab, report, stop. May import everything but __main__."""
