/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes: what makes a slot's context the thread's, and takes it away again.
 *
 * A bracket is a call or a resume on behalf of a coroutine: whatever was begun inside it is
 * over when it is left. A frame is what a run or an attach begins. It writes the slot; if
 * the coroutine is managed it also attaches a scope, so that C code sees the same. A yield
 * takes that scope away, together with the resume's; the next managed resume attaches what
 * the slot holds, which is the innermost frame's. So a frame that is left either still has
 * its scope and leaves it, or a managed resume came between: then that resume's own scope
 * holds the frame's context, and is replaced by one with what the coroutine has outside of
 * the frame. The slot's `turns` tell which it is.
 *
 * The main coroutine, when it cannot yield, needs no more than a scope: its frames leave
 * the slot as it is, so that what a host attaches later is not hidden by it.
 */
#include "lcctx.h"

#include <stdlib.h>

static enum cctx_lifetime lifetime_of(struct lcctx_hold hold) {
  return hold.handed_over ? CCTX_HANDED_OVER : CCTX_INHERITED;
}

/* With the place in the script if strict mode wants it. */
static int attach(lua_State *at, const void *tag, cctx *ctx, enum cctx_lifetime lifetime,
                  cctx_token *token) {
  struct cctx_origin origin = {.tag = tag, .lifetime = lifetime};
  struct lcctx_place place;
  if (at != NULL && cctx_strict(CCTX_STRICT_ASK)) {
    lcctx_find_place(at, &place);
    origin.file = place.file;
    origin.line = place.line;
  }
  return cctx_attach_as(ctx, &origin, token);
}

static void detach(lua_State *at, cctx_token *token) {
  struct lcctx_place place = {.file = NULL};
  if (cctx_strict(CCTX_STRICT_ASK)) lcctx_find_place(at, &place);
  cctx_detach_at(token, place.file, place.line);
}

/* ---- Brackets ---- */

/* Whether its scope, if it has one, was not taken away by the end of a resume. */
static bool is_standing(const struct lcctx_slot *slot, const struct lcctx_frame *frame) {
  return frame->bracket || frame->turns == slot->turns;
}

#define HOST "(a call or resume of Lua)" /* for strict mode */

int lcctx_enter(struct lcctx_bracket *bracket, lua_State *L, struct lcctx_hold hold) {
  bool found;
  struct lcctx_slot *slot = lcctx_slot_find(L, &found);
  struct cctx_origin origin = {L, lifetime_of(hold), HOST, 0};
  bracket->L = L;
  bracket->listed = slot == NULL;
  if (!found || (bracket->listed && !lcctx_state_list(lcctx_state(L), L)))
    return CCTX_ENOMEM;
  if (cctx_attach_as(hold.ctx, &origin, &bracket->token) != CCTX_OK) {
    if (bracket->listed) lcctx_state_unlist(lcctx_state(L), L);
    return CCTX_ENOMEM;
  }
  if (slot != NULL) slot->inside++;
  return CCTX_OK;
}

/* Somebody ended the bracket before, with what was attached in it by then: what was since ends
 * here. */
static void detach_rest(struct lcctx_slot *slot) {
  for (unsigned i = slot->fence; i < slot->n; i++) {
    struct lcctx_frame *frame = &slot->frames[i];
    if (frame->bracket || !frame->attached || !is_standing(slot, frame)) continue;
    cctx_detach(&frame->token);
    frame->attached = false;
  }
}

struct lcctx_slot *lcctx_leave(struct lcctx_bracket *bracket) {
  struct lcctx_slot *slot = lcctx_slot_find(bracket->L, NULL);
  if (cctx_detach_at(&bracket->token, HOST, 0) != CCTX_OK && slot) detach_rest(slot);
  if (bracket->listed)
    lcctx_state_unlist(lcctx_state(bracket->L), bracket->L);
  else if (slot != NULL && slot->inside > 0)
    slot->inside--;
  return slot;
}

/* ---- Frames ---- */

static bool is_bracket(lua_State *L) {
  bool main = lua_pushthread(L) != 0;
  lua_pop(L, 1);
  return main && !lua_isyieldable(L);
}

static bool make_room(struct lcctx_slot *slot) {
  unsigned room = slot->room * 2;
  struct lcctx_frame *frames;
  if (slot->n < slot->room) return true;
  frames = malloc(room * sizeof *frames);
  if (frames == NULL) return false;
  for (unsigned i = 0; i < slot->n; i++) frames[i] = slot->frames[i];
  if (slot->frames != slot->few) free(slot->frames);
  slot->frames = frames;
  slot->room = room;
  return true;
}

static lua_KContext push(struct lcctx_slot *slot, struct lcctx_frame frame) {
  frame.id = (lua_KContext)++slot->serial;
  frame.turns = slot->turns;
  slot->frames[slot->n++] = frame;
  return frame.id;
}

/* What AUTO would find where the coroutine is not managed: attach for a moment. Without
 * memory the answer is the one that lasts shorter. */
static bool is_handed_over(const struct lcctx_slot *slot, cctx *ctx) {
  struct cctx_origin origin = {.tag = NULL};
  cctx_token outer = {NULL, 0}, inner;
  bool around = slot->held.ctx != NULL;
  if (around &&
      attach(NULL, NULL, slot->held.ctx, lifetime_of(slot->held), &outer) != CCTX_OK)
    return false;
  if (attach(NULL, NULL, ctx, CCTX_LIFETIME_AUTO, &inner) == CCTX_OK) {
    cctx_current_origin(&origin);
    cctx_detach(&inner);
  }
  if (around) cctx_detach(&outer);
  return origin.lifetime == CCTX_HANDED_OVER;
}

/* Attach, if L is managed, and find out how long it lasts. */
static int begin_scope(lua_State *L, struct lcctx_slot *slot, cctx *ctx,
                       enum cctx_lifetime lifetime, struct lcctx_frame *frame,
                       bool *handed_over) {
  struct cctx_origin origin;
  frame->attached = frame->bracket || lcctx_managed(L, slot);
  *handed_over = lifetime == CCTX_HANDED_OVER;
  if (!frame->attached) {
    if (lifetime == CCTX_LIFETIME_AUTO) *handed_over = is_handed_over(slot, ctx);
    return CCTX_OK;
  }
  if (attach(L, L, ctx, lifetime, &frame->token) != CCTX_OK) return CCTX_ENOMEM;
  if (lifetime != CCTX_LIFETIME_AUTO || frame->bracket) return CCTX_OK;
  cctx_current_origin(&origin);
  *handed_over = origin.lifetime == CCTX_HANDED_OVER;
  return CCTX_OK;
}

lua_KContext lcctx_begin(lua_State *L, int index, enum cctx_lifetime lifetime) {
  struct lcctx_frame frame = {.bracket = is_bracket(L)};
  struct lcctx_slot *slot = lcctx_slot_need(L, L);
  bool handed_over;
  cctx *ctx;
  if (!make_room(slot)) lcctx_no_memory(L);
  lcctx_slot_revive(slot);
  ctx = lcctx_check(L, index);
  if (begin_scope(L, slot, ctx, lifetime, &frame, &handed_over) != CCTX_OK)
    lcctx_no_memory(L);
  if (!frame.bracket) {
    frame.outer = slot->held;
    slot->held = (struct lcctx_hold){cctx_ref(ctx), handed_over};
  }
  return push(slot, frame);
}

lua_KContext lcctx_begin_for(lua_State *L, lua_State *co) {
  struct lcctx_frame frame = {.attached = true};
  struct lcctx_slot *slot = lcctx_slot_need(L, L), *other = lcctx_slot_need(L, co);
  struct lcctx_hold own = lcctx_hold_of(L), hold = other->held;
  if (!make_room(slot)) lcctx_no_memory(L);
  if (hold.ctx == NULL) hold = own;
  cctx_ref(own.ctx);
  if (attach(L, co, hold.ctx, lifetime_of(hold), &frame.token) != CCTX_OK) {
    cctx_unref(own.ctx);
    lcctx_no_memory(L);
  }
  frame.outer = slot->held;
  slot->held = own;
  other->died = false; /* what it holds is for its closers */
  other->scope = frame.token;
  other->resumer = own; /* of L's slot, which outlives the bracket */
  other->resumed = true;
  other->inside = 1;
  other->turns++;
  other->opened = slot->opened;
  slot->opened = other;
  return push(slot, frame);
}

void lcctx_suspend(struct lcctx_slot *slot) {
  for (unsigned i = slot->n; i > slot->fence; i--) {
    struct lcctx_frame *frame = &slot->frames[i - 1];
    if (frame->attached && is_standing(slot, frame)) cctx_detach(&frame->token);
    frame->attached = false;
  }
}

/* The scope of the present resume, anew: the same place on the thread, another context. If
 * there is no memory for it the coroutine is unmanaged from here on; Lua asks the slot. */
static int reattach(lua_State *L, struct lcctx_slot *slot) {
  struct lcctx_hold hold = lcctx_slot_hold(slot);
  if (cctx_detach(&slot->scope) != CCTX_OK) return CCTX_OK; /* somebody ended it */
  if (hold.ctx == NULL) hold = slot->resumer;
  return attach(L, L, hold.ctx, lifetime_of(hold), &slot->scope);
}

/* The frame with that id, or the number of frames; from the innermost on. */
static unsigned find_frame(const struct lcctx_slot *slot, lua_KContext id) {
  for (unsigned i = slot->n; i > slot->fence; i--)
    if (slot->frames[i - 1].id == id) return i - 1;
  return slot->n;
}

int lcctx_end(lua_State *L, lua_KContext id) {
  struct lcctx_slot *slot = lcctx_slot_find(L, NULL);
  unsigned i = slot ? find_frame(slot, id) : 0, first;
  bool same, has_scope;
  cctx_token token = {NULL, 0};
  if (slot == NULL || i == slot->n) return CCTX_ESTALE;
  same = is_standing(slot, &slot->frames[i]);
  for (first = i; first < slot->n; first++)
    if (slot->frames[first].attached && is_standing(slot, &slot->frames[first])) break;
  has_scope = first < slot->n;
  if (has_scope) token = slot->frames[first].token;
  lcctx_slot_cut(slot, i);
  if (!same && slot->resumed) return reattach(L, slot);
  if (has_scope) detach(L, &token);
  return CCTX_OK;
}

int lcctx_end_for(lua_State *L, lua_State *co, lua_KContext id) {
  struct lcctx_slot *slot = lcctx_slot_find(L, NULL), *other = lcctx_slot_find(co, NULL);
  int status;
  if (slot && other && slot->opened == other) { /* else L has yielded meanwhile */
    unsigned i = find_frame(slot, id);
    if (i < slot->n) slot->frames[i].token = other->scope; /* as it is by now */
    slot->opened = other->opened;
    other->opened = NULL;
    if (lua_status(co) == LUA_YIELD) lcctx_suspend(other);
  }
  status = lcctx_end(L, id);
  if (other) lcctx_settle(co, other, lcctx_is_unstarted(co));
  return status;
}
