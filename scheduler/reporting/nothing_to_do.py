"""What a run prints when there was nothing to do; the idle run prints it without importing anything else."""

NOTHING_TEXT = "Nothing to do.\n"
NOTHING_JSON = '{"version":1,"results":[],"diagnostics":[],"troubles":[]}\n'
