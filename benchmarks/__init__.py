"""Suites, runs, statistics and reports: how well does an agent reason?"""
