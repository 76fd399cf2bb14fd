#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the packages, uses each, and removes them. Runs as root in a view of the system.
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
cd /
dpkg -i /packages/*.deb >/dev/null

cc /project/program.c $(pkg-config --cflags --libs cctx) -o /shared
/shared
cc -static /project/program.c $(pkg-config --static --cflags --libs cctx) -o /static
/static
cmake -S /project -B /build -DWAY=package -DWANTED=0.1 >/dev/null
cmake --build /build >/dev/null
/build/out/cpp
/build/out/bound
/build/out/unload /build/out/libplugin.so

python3 -m cctx
echo 'print(require "cctx".metadata "tenant")' >/say.lua
echo 'import cctx; print(cctx.metadata("tenant"))' >/say.py
cctx run --meta tenant=acme /say.lua
cctx run --meta tenant=acme /say.py
for lua in lua5.4 lua5.3 lua5.1 luajit; do $lua /say.lua; done

dpkg -P cctx lua-cctx python3-cctx libcctx-dev libcctx0 >/dev/null
left=$(find /usr /etc /var -xdev -name '*cctx*')
[ -z "$left" ] || {
  echo "left behind: $left"
  exit 1
}
echo "used and removed"
