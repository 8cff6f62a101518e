.PHONY: check format lint types test slow soak wheel docs

# The one entry: everything that must hold before a commit.
check: format lint types test wheel

format:
	uv run ruff format --check .

lint:
	uv run ruff check .

types:
	uv run pyright

test:
	uv run pytest

slow:
	uv run pytest -m slow

# The built wheel, installed where nothing else of the project is, encodes and decodes.
wheel:
	rm -rf dist && uv build --wheel
	uv run --isolated --no-project --python 3.13 --with dist/*.whl python scripts/try_wheel.py

# An hour of random kills: kills, resumes and differences are printed.
soak:
	uv run python scripts/soak.py

# README.md and docs/results.md from docs/source and the tables in docs/tables.
docs:
	uv run python scripts/docs.py
