#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs a script in a view of this system that keeps what is written to itself.
#
# Usage: unshare --mount sh view.sh VIEW PACKAGES SCRIPT PROJECT. The view has /packages,
# /use.sh and /project. It is gone with the mount namespace.
set -eu
mount -t tmpfs none "$1"
mkdir "$1/changes" "$1/work" "$1/root"
mount -t overlay overlay \
  -o "lowerdir=/,upperdir=$1/changes,workdir=$1/work" "$1/root" || {
  echo "view: impossible"
  exit 0
}
root=$1/root
mkdir "$root/packages"
cp "$2"/*.deb "$root/packages"
rm -f "$root"/packages/*-dbgsym_*
cp "$3" "$root/use.sh"
cp -r "$4" "$root/project"
mount -t proc proc "$root/proc"
exec chroot "$root" sh /use.sh
