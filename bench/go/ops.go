// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"
)

const (
	long        = time.Hour
	contextsMax = 1024
)

// What is written here escapes, so that nothing is made on the stack or not at all.
var (
	sinkContext context.Context
	sinkError   error
	sinkValue   any
	sinkChannel <-chan struct{}
)

type key int

const (
	wanted key = iota
	other
	missing
)

var (
	parent  context.Context
	asked   context.Context
	release []context.CancelFunc
	stops   []context.CancelFunc
	made    []context.Context
)

func keep(ctx context.Context, cancel context.CancelFunc) context.Context {
	release = append(release, cancel)
	return ctx
}

func closeAll() {
	for i := len(release) - 1; i >= 0; i-- {
		release[i]()
	}
	parent, asked, release, stops, made = nil, nil, nil, nil, nil
}

func openParent(int) { parent = keep(context.WithTimeout(context.Background(), long)) }

func openSiblings(x int) {
	openParent(x)
	for i := 0; i < x; i++ {
		keep(context.WithCancel(parent))
	}
}

func openTimers(x int) {
	openParent(x)
	for i := 0; i < x; i++ {
		keep(context.WithTimeout(parent, long-1-time.Duration(i)))
	}
}

func openValued(x int) {
	openParent(x)
	for i := 0; i < x; i++ {
		parent = context.WithValue(parent, key(i), i)
	}
}

func descend(x int) {
	for ; x > 0; x-- {
		asked = keep(context.WithCancel(asked))
	}
}

func openCancelable(x int) {
	asked = context.Background()
	descend(x)
}

func openTimed(x int) {
	asked = keep(context.WithTimeout(context.Background(), long))
	descend(x - 1)
}

func openCanceled(x int) {
	asked = keep(context.WithCancel(context.Background()))
	release[0]()
	descend(x - 1)
}

func openChain(x int) {
	asked = keep(context.WithTimeout(context.Background(), long))
	for i := 0; i < x; i++ {
		k := other
		if i == 0 {
			k = wanted
		}
		asked = context.WithValue(asked, k, i)
	}
}

// x siblings with a function of their own, as in observe.c.
func openObserved(x int) {
	parent = keep(context.WithCancel(context.Background()))
	asked = keep(context.WithCancel(parent))
	for i := 0; i < x; i++ {
		context.AfterFunc(keep(context.WithCancel(parent)), func() {})
	}
}

func openObservedTimers(x int) {
	parent = keep(context.WithCancel(context.Background()))
	asked = keep(context.WithTimeout(parent, long+time.Second))
	for i := 0; i < x; i++ {
		context.AfterFunc(keep(context.WithTimeout(parent, long+time.Duration(i))), func() {})
	}
}

func runOnDone(n int) {
	for i := 0; i < n; i++ {
		if !context.AfterFunc(asked, func() {})() {
			panic("the function has begun")
		}
	}
}

var wide int

// n contexts with x children each, whose channel somebody holds: Go would start a
// goroutine for a function.
func prepareFamilies(n int) {
	stops = stops[:0]
	for i := 0; i < n; i++ {
		ctx, cancel := context.WithCancel(context.Background())
		stops = append(stops, cancel)
		for j := 0; j < wide; j++ {
			child, cancel := context.WithCancel(ctx)
			release = append(release, cancel)
			sinkChannel = child.Done()
		}
	}
	release = release[:0] // canceling the parent is enough
}

func runCancel(n int) {
	for i := 0; i < n; i++ {
		stops[i]()
	}
}

func prepareContexts(n int) {
	made, stops = made[:0], stops[:0]
	for i := 0; i < n; i++ {
		ctx, cancel := context.WithCancel(context.Background())
		made, stops = append(made, ctx), append(stops, cancel)
	}
}

func runDoneFirst(n int) {
	for i := 0; i < n; i++ {
		sinkChannel = made[i].Done()
	}
}

func runErr(n int) {
	for i := 0; i < n; i++ {
		sinkError = asked.Err()
	}
}

func runValue(k key) func(int) {
	return func(n int) {
		for i := 0; i < n; i++ {
			sinkValue = asked.Value(k)
		}
	}
}

// runDerive derives, and cancels at once where there is something to cancel.
func runDerive(derive func() (context.Context, context.CancelFunc)) func(int) {
	return func(n int) {
		for i := 0; i < n; i++ {
			ctx, cancel := derive()
			sinkContext = ctx
			if cancel != nil {
				cancel()
			}
		}
	}
}

func withValue() (context.Context, context.CancelFunc) {
	return context.WithValue(parent, wanted, 1), nil
}

func withCancel() (context.Context, context.CancelFunc) {
	return context.WithCancel(parent)
}

func withTimeout() (context.Context, context.CancelFunc) {
	return context.WithTimeout(parent, time.Second)
}

func withoutCancel() (context.Context, context.CancelFunc) {
	return context.WithoutCancel(parent), nil
}

var ops = map[string]op{
	"with_value":    {open: openParent, run: runDerive(withValue), close: closeAll},
	"with_cancel":   {open: openSiblings, run: runDerive(withCancel), close: closeAll},
	"with_timeout":  {open: openTimers, run: runDerive(withTimeout), close: closeAll},
	"detached":      {open: openValued, run: runDerive(withoutCancel), close: closeAll},
	"err":           {open: openCancelable, run: runErr, close: closeAll},
	"err_timed":     {open: openTimed, run: runErr, close: closeAll},
	"err_canceled":  {open: openCanceled, run: runErr, close: closeAll},
	"value":         {open: openChain, run: runValue(wanted), close: closeAll},
	"value_miss":    {open: openChain, run: runValue(missing), close: closeAll},
	"on_done":       {open: openObserved, run: runOnDone, close: closeAll},
	"on_done_timed": {open: openObservedTimers, run: runOnDone, close: closeAll},
	"cancel": {
		open:    func(x int) { wide = x },
		prepare: prepareFamilies,
		run:     runCancel,
		close:   closeAll,
		room:    contextsMax,
	},
	"done_fd_first": {prepare: prepareContexts, run: runDoneFirst, close: closeAll, room: 256},
	"done_fd": {
		open: openCancelable,
		run: func(n int) {
			for i := 0; i < n; i++ {
				sinkChannel = asked.Done()
			}
		},
		close: closeAll,
	},
}
