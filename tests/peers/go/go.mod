module cctx-peer

go 1.21

require github.com/bytedance/gopkg v0.1.4
