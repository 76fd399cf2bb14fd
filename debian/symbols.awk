# SPDX-License-Identifier: Apache-2.0
# Makes the symbols file of libcctx0 from core/libcctx.map: a symbol is as old as the block
# it is in. The block CCTX_0.2 came with version 0.2.0.
BEGIN { print "libcctx.so.0 libcctx0 #MINVER#\n* Build-Depends-Package: libcctx-dev" }
/^CCTX_/ {
  block = $1
  since = substr($1, 6) ".0"
  print " " block "@" block " " since
}
/^ +cctx_[a-z0-9_]+;/ { sub(/;/, "", $1); print " " $1 "@" block " " since }
