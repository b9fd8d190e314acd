#!/bin/sh
# build.sh FOLDER PACKAGES: makes FOLDER, a Debian 13 (trixie) with PACKAGES, separated by commas. It is built under a temporary name
# and then renamed, so that an interrupted build is never mistaken for a complete one.
set -eu
folder=$1 packages=$2

building=$(mktemp -d "$folder.XXXXXX")
downloads=$(mktemp -d)
trap 'rm -rf "$building" "$downloads"' EXIT
trap 'exit 1' HUP INT TERM
# apt downloads as another user.
chmod 777 "$downloads"

# trixie does not have H2O. The package of Debian 12, on which this script runs, works on trixie.
exec 9> /run/lock/fcgi-bridge-apt
flock 9
apt-get --quiet=2 update
(cd "$downloads" && apt-get --quiet=2 download h2o)
exec 9>&-
mmdebstrap --quiet --variant=minbase --include="$packages" trixie "$building"
dpkg --root="$building" --install "$downloads"/h2o_*.deb
# A minimal Debian has no /etc/hosts.
printf '127.0.0.1 localhost\n::1 localhost ip6-localhost\n' > "$building/etc/hosts"
chmod 755 "$building"

# Another process may have made the folder at the same time.
mv --no-target-directory "$building" "$folder" || [ -d "$folder" ]
