"""The report's part of the page alone, for `AppTest`."""

from evaluation.page_report import choose_run, run_report

if folder := choose_run():
    run_report(folder)
