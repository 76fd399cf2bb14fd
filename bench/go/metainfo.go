// SPDX-License-Identifier: Apache-2.0

//go:build metainfo

// CloudWeGo's metainfo, which a module proxy has to bring: its persistent values are the
// nearest to request metadata.
package main

import (
	"context"
	"fmt"

	"github.com/bytedance/gopkg/cloud/metainfo"
)

var (
	last       string // the name of the last pair
	pairs      []string
	sinkString string
)

// x pairs, as in ask.c.
func openMetadata(x int) {
	asked = context.Background()
	for i := 0; i < x; i++ {
		last = fmt.Sprintf("name%04d", i%10000)
		asked = metainfo.WithPersistentValue(asked, last, "value")
	}
}

// x pairs with names of 8 bytes, as in derive.c.
func openPairs(x int) {
	openParent(x)
	pairs = pairs[:0]
	for i := 0; i < x; i++ {
		pairs = append(pairs, fmt.Sprintf("aaaa%04d", i%10000), "value")
	}
}

func runMetadata(n int) {
	for i := 0; i < n; i++ {
		value, found := metainfo.GetPersistentValue(asked, last)
		if !found {
			panic("a pair is not there")
		}
		sinkString = value
	}
}

// What is set is counted, and not kept.
type headers struct{ bytes int }

func (h *headers) Set(name, value string) { h.bytes += len(name) + len(value) }

func runEncode(n int) {
	for i := 0; i < n; i++ {
		var counted headers
		metainfo.ToHTTPHeader(asked, &counted)
		if counted.bytes == 0 {
			panic("nothing is sent")
		}
	}
}

func init() {
	derive := func(from func() context.Context) func(int) {
		return runDerive(func() (context.Context, context.CancelFunc) { return from(), nil })
	}
	set := func() context.Context { return metainfo.WithPersistentValue(asked, "another", "value") }
	remove := func() context.Context { return metainfo.DelPersistentValue(asked, last) }
	setAll := func() context.Context { return metainfo.WithPersistentValues(parent, pairs...) }
	ops["metadata"] = op{open: openMetadata, run: runMetadata, close: closeAll}
	ops["metadata_set"] = op{open: openMetadata, run: derive(set), close: closeAll}
	ops["metadata_delete"] = op{open: openMetadata, run: derive(remove), close: closeAll}
	ops["encode"] = op{open: openMetadata, run: runEncode, close: closeAll}
	ops["with_metadata"] = op{open: openPairs, run: derive(setAll), close: closeAll}
}
