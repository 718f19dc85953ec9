"""What a run prints that found nothing to do; the idle tick prints it without importing anything else."""

NOTHING_TEXT = "Nothing to do.\n"
NOTHING_JSON = '{"version":1,"results":[],"diagnostics":[]}\n'
