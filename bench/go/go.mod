module cctx-bench

go 1.21
