// SPDX-License-Identifier: Apache-2.0

// Measures Go's context in the operations that it shares with cctx, under the same names
// and in the same way as bench.c: bench OP:X..., bench --list, one line of JSON each.
package main

import (
	"fmt"
	"os"
	"path"
	"runtime"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"
	"time"
)

const (
	rounds    = 5
	roundTime = 8 * time.Millisecond
	roundWall = 40 * time.Millisecond
	counted   = 64
)

// An op is what bench.h says of one.
type op struct {
	open    func(x int)
	prepare func(n int)
	run     func(n int)
	restore func(n int)
	close   func()
	room    int
}

func (o op) limit(x, wanted int) int {
	if o.room == 0 || o.room/max(x, 1) > wanted {
		return wanted
	}
	return max(o.room/max(x, 1), 1)
}

func call[T any](f func(T), with T) {
	if f != nil {
		f(with)
	}
}

func (o op) batch(n int) time.Duration {
	call(o.prepare, n)
	start := time.Now()
	o.run(n)
	taken := time.Since(start)
	call(o.restore, n)
	return taken
}

func (o op) round(n int) float64 {
	var total time.Duration
	done := 0
	for start := time.Now(); total < roundTime && time.Since(start) < roundWall; {
		total += o.batch(n)
		done += n
	}
	return float64(total) / float64(done)
}

func (o op) time(x int) float64 {
	n := o.limit(x, 16)
	for o.batch(n) < roundTime && o.limit(x, n*2) > n {
		n = o.limit(x, n*2)
	}
	best := o.round(n)
	for i := 1; i < rounds; i++ {
		best = min(best, o.round(n))
	}
	return best
}

func (o op) allocations(n int) float64 {
	var before, after runtime.MemStats
	o.batch(n)
	call(o.prepare, n)
	runtime.ReadMemStats(&before)
	o.run(n)
	runtime.ReadMemStats(&after)
	call(o.restore, n)
	return float64(after.Mallocs-before.Mallocs) / float64(n)
}

func list() {
	names := make([]string, 0, len(ops))
	for name := range ops {
		names = append(names, name)
	}
	sort.Strings(names)
	fmt.Println(strings.Join(names, "\n"))
}

// Of the compiler and of what was linked in, and how that was built.
func version() string {
	said := []string{runtime.Version()}
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if path.Base(module.Path) == "gopkg" || path.Base(module.Path) == "localsession" {
			said = append(said, path.Base(module.Path)+" "+module.Version)
		}
	}
	for _, setting := range info.Settings {
		if strings.HasPrefix(setting.Key, "-") || setting.Key == "GOAMD64" {
			said = append(said, setting.Key+"="+setting.Value)
		}
	}
	return strings.Join(said, ", ")
}

func main() {
	for _, arg := range os.Args[1:] {
		name, rest, _ := strings.Cut(arg, ":")
		x, _ := strconv.Atoi(rest)
		o, known := ops[name]
		switch {
		case name == "--list":
			list()
			continue
		case name == "--version":
			fmt.Println(version())
			continue
		case !known:
			fmt.Fprintf(os.Stderr, "bench: no operation '%s'; --list names them\n", name)
			os.Exit(2)
		}
		call(o.open, x)
		ns, allocations := o.time(x), o.allocations(o.limit(x, counted))
		fmt.Printf("{\"op\": %q, \"x\": %d, \"ns\": %.3f, \"allocations\": %.4g}\n",
			name, x, ns, allocations)
		if o.close != nil {
			o.close()
		}
	}
}
