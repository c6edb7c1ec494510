#!/usr/bin/env bash
# DVC 3.67.1: `dvc exp run -S a=2` writes all of params.yaml anew. It turns each list of a block mapping into block style,
# and loses the comment that stands below a list, though the value that was set lies elsewhere in the file.
# Seen: of "lists: [1, 2]" three lines, and the comment above `a` gone.
# Exit status 0 while this is so. It is why params.yaml has the layout that tests/replication/core/test_params_layout.py
# checks: lists in block style, and none before a comment.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet dvc==3.67.1
cd "$folder"
printf 'lists: [1, 2]\nlast:\n- 3\n\n# What a is.\na: 1\n' > params.yaml
printf 'stages:\n  look:\n    cmd: cat params.yaml\n    params: [a]\n' > dvc.yaml
git init --quiet
"$folder/venv/bin/dvc" init --quiet
git add .
git -c user.name=a -c user.email=a@example.org commit --quiet --message first
git config user.name a
git config user.email a@example.org
"$folder/venv/bin/dvc" exp run --quiet -S a=2
cat params.yaml
printf 'lists:\n- 1\n- 2\nlast:\n- 3\na: 2\n' | diff - params.yaml
