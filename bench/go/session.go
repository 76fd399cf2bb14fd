// SPDX-License-Identifier: Apache-2.0

//go:build metainfo && localsession

// CloudWeGo's localsession, and its backup of contexts, which a module proxy has to bring. It
// stores a session for each goroutine under a lock, and takes and gives no references.
package main

import (
	"context"
	"fmt"

	"github.com/bytedance/gopkg/cloud/metainfo"
	"github.com/cloudwego/localsession"
	"github.com/cloudwego/localsession/backup"
)

var (
	lost    context.Context
	bound   localsession.Session
	manager localsession.SessionManager
	ids     int
)

// x pairs, as in backup.c, of a request whose handler is entered.
func openRequest(x int) {
	options := backup.DefaultOptions()
	options.Enable = true
	backup.Init(options)
	openParent(0)
	lost = keep(context.WithCancel(context.Background()))
	asked = keep(context.WithCancel(context.Background()))
	for i := 0; i < x; i++ {
		asked = metainfo.WithPersistentValue(asked, fmt.Sprintf("name%d", i), "value")
	}
	bound = localsession.NewSessionCtx(asked)
	backup.BackupCtx(asked)
}

func closeRequest() {
	backup.ClearCtx()
	closeAll()
}

func runSession(n int) {
	for i := 0; i < n; i++ {
		session, found := localsession.CurSession()
		if !found {
			panic("no session")
		}
		sinkValue = session
	}
}

func runSessionState(n int) {
	for i := 0; i < n; i++ {
		session, found := localsession.CurSession()
		if !found || !session.IsValid() {
			panic("no valid session")
		}
	}
}

func runBind(n int) {
	for i := 0; i < n; i++ {
		localsession.BindSession(bound)
		localsession.UnbindSession()
	}
}

func runBackup(n int) {
	for i := 0; i < n; i++ {
		backup.BackupCtx(asked)
		backup.ClearCtx()
	}
}

func runRecover(n int) {
	agree := func(prev, cur context.Context) (context.Context, bool) { return cur, true }
	for i := 0; i < n; i++ {
		sinkContext = backup.RecoverCtxOnDemands(lost, agree)
	}
}

// x ids, each with a session bound.
func openManager(x int) {
	ids = max(x, 1)
	manager = localsession.NewSessionManager(localsession.DefaultManagerOptions())
	bound = localsession.NewSessionCtx(context.Background())
	for i := 0; i < ids; i++ {
		manager.BindSession(localsession.SessionID(i), bound)
	}
}

func closeManager() { manager.Close() }

func runGet(n int) {
	for i := 0; i < n; i++ {
		session, found := manager.GetSession(localsession.SessionID(i % ids))
		if !found || !session.IsValid() {
			panic("no valid session")
		}
	}
}

// On an id without a session: a bind replaces the one that is there, and does not keep it.
func runManagerBind(n int) {
	for i := 0; i < n; i++ {
		id := localsession.SessionID(ids + i%ids)
		manager.BindSession(id, bound)
		manager.UnbindSession(id)
	}
}

func init() {
	request := func(run func(int)) op { return op{open: openRequest, run: run, close: closeRequest} }
	ops["session"] = request(runSession)
	ops["session_state"] = request(runSessionState)
	ops["bind"] = request(runBind)
	ops["backup"] = request(runBackup)
	ops["recover"] = request(runRecover)
	ops["manager_get"] = op{open: openManager, run: runGet, close: closeManager}
	ops["manager_bind"] = op{open: openManager, run: runManagerBind, close: closeManager}
}
