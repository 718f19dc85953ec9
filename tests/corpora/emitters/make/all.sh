#!/bin/sh
# Writes the corpus again: all.sh FOLDER JS4 JS5 (two folders with the npm packages of README.md). Debian's packages do the rest.
set -e
make=$(cd "$(dirname "$0")" && pwd) top=$(cd "$1" && pwd)
export TZ=Europe/Berlin
python3 "$make/emit.py" "$top"
(cd "$2" && node "$make/emit.cjs" "$top" js-yaml && node "$make/emit.cjs" "$top" yaml)
(cd "$3" && node "$make/emit.cjs" "$top" js-yaml)
ruby "$make/emit.rb" "$top"
perl "$make/emit.pl" "$top"
php -d date.timezone=Europe/Berlin "$make/emit.php" "$top"
Rscript "$make/emit.R" "$top"
GO111MODULE=off GOPATH="${GOPATH:-/usr/share/gocode}" go run "$make/emit.go" "$top"
