module cctx-bench

go 1.21

require (
	github.com/bytedance/gopkg v0.1.4 // for the build tag metainfo alone
	github.com/cloudwego/localsession v0.2.1 // for the build tag localsession alone
)

require (
	github.com/cloudwego/runtimex v0.1.1 // indirect
	github.com/modern-go/reflect2 v1.0.2 // indirect
)
