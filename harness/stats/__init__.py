"""Pure functions on numbers: no files, no runs, no clock. One file per question."""
