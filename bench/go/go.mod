module cctx-bench

go 1.21

require github.com/bytedance/gopkg v0.1.4 // for the build tag metainfo alone
