"""Odd requests by the thousand, made by schemathesis from the served OpenAPI document.

`python -m tests.fuzz` sends 1,000 examples to each operation; tests/api has a small campaign.
"""
