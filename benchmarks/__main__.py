"""Runs every benchmark."""

from benchmarks import requests

requests.main()
