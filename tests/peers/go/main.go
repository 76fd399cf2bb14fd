// SPDX-License-Identifier: Apache-2.0
// The other side of an exchange of metainfo: CloudWeGo's own Go package.
//
// Each line that it reads is JSON: fields that were sent to it, what it must find in them, and pairs
// that it sets besides. It answers with the fields that it sends on, or ends with an error.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"github.com/bytedance/gopkg/cloud/metainfo"
)

type pairs struct {
	Persist map[string]string `json:"persist"`
	Transit map[string]string `json:"transit"`
}

type question struct {
	HTTP   bool              `json:"http"`
	Fields map[string]string `json:"fields"`
	Finds  pairs             `json:"finds"`
	Sets   pairs             `json:"sets"`
}

func read(q question) context.Context {
	ctx := context.Background()
	if !q.HTTP {
		return metainfo.SetMetaInfoFromMap(ctx, q.Fields)
	}
	header := http.Header{}
	for name, value := range q.Fields {
		header.Set(name, value)
	}
	return metainfo.FromHTTPHeader(ctx, metainfo.HTTPHeader(header))
}

// As a server of Kitex does: what was sent for this hop is not sent on.
func receive(q question) (context.Context, error) {
	ctx := metainfo.TransferForward(read(q))
	found := pairs{metainfo.GetAllPersistentValues(ctx), metainfo.GetAllValues(ctx)}
	if fmt.Sprint(found) != fmt.Sprint(q.Finds) { // maps are printed in order
		return nil, fmt.Errorf("found %v, not %v", found, q.Finds)
	}
	return ctx, nil
}

func send(ctx context.Context, q question) map[string]string {
	fields := map[string]string{}
	for name, value := range q.Sets.Persist {
		ctx = metainfo.WithPersistentValue(ctx, name, value)
	}
	for name, value := range q.Sets.Transit {
		ctx = metainfo.WithValue(ctx, name, value)
	}
	if !q.HTTP {
		metainfo.SaveMetaInfoToMap(ctx, fields)
		return fields
	}
	header := metainfo.HTTPHeader{}
	metainfo.ToHTTPHeader(ctx, header)
	header.Visit(func(name, value string) { fields[name] = value })
	return fields
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var q question
		err := json.Unmarshal(lines.Bytes(), &q)
		ctx := context.Background()
		if err == nil {
			ctx, err = receive(q)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		text, _ := json.Marshal(send(ctx, q))
		fmt.Println(string(text))
	}
}
