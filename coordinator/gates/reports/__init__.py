"""Readers of what other tools report: JUnit, SARIF, lcov, lists of problems."""
