/* SPDX-License-Identifier: Apache-2.0 */
/* The model of the Lua hunt: what C and Lua may be answered, by docs/current.md.
 *
 * It knows contexts by their ids alone. Each thread has a list of brackets; a coroutine has
 * a context of its own, or none, and remembers the runs that are under way in it.
 */
#ifndef LUA_MODEL_H
#define LUA_MODEL_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MARKS = 2000, BRACKETS = 400, RUNS = 12 };

enum lifetime { INHERITED, HANDED_OVER, EITHER };

/* What a bracket, or a coroutine, stands for. Id 0 is background. */
struct answer {
  long id;
  int mark; /* of its request; 0: none */
  enum lifetime lifetime;
};

static struct mark {
  int outer;
  bool over;
} marks[MARKS];
static int marks_n;

static bool has_ended(int mark) {
  for (; mark; mark = marks[mark].outer)
    if (marks[mark].over) return true;
  return false;
}

static bool bears(int mark, int other) {
  while (mark && mark != other) mark = marks[mark].outer;
  return mark != 0;
}

/* Whether `id` is right where `is` is current. */
static bool is_right(struct answer is, long id) {
  if (!has_ended(is.mark)) return id == is.id;
  if (is.lifetime == EITHER) return id == is.id || id == 0;
  return id == (is.lifetime == HANDED_OVER ? is.id : 0);
}

/* The lifetime of `what` where it is attached, and `now` is what it replaces. */
static enum lifetime lifetime_of(struct answer what, struct answer now) {
  if (has_ended(what.mark)) return HANDED_OVER;
  if (now.id == 0) return HANDED_OVER;
  if (bears(what.mark, now.mark) || bears(now.mark, what.mark)) return now.lifetime;
  return HANDED_OVER;
}

/* ---- The brackets of a thread ---- */

struct bracket {
  struct answer is;
  const void *tag; /* the coroutine on whose behalf */
  long serial;
  bool left; /* from another thread */
};

struct stack {
  struct bracket items[BRACKETS];
  int n;
};

static long serials;

/* How many are in force: those below the lowest that was left elsewhere. */
static int in_force(const struct stack *stack) {
  for (int i = 0; i < stack->n; i++)
    if (stack->items[i].left) return i;
  return stack->n;
}

static struct answer current(const struct stack *stack) {
  int n = in_force(stack);
  return n ? stack->items[n - 1].is : (struct answer){0, 0, INHERITED};
}

static const void *tag_of(const struct stack *stack) {
  int n = in_force(stack);
  return n ? stack->items[n - 1].tag : NULL;
}

static long push(struct stack *stack, struct answer is, const void *tag) {
  stack->n = in_force(stack);
  if (stack->n == BRACKETS) abort();
  stack->items[stack->n++] = (struct bracket){is, tag, ++serials, false};
  return serials;
}

static int find(const struct stack *stack, long serial) {
  for (int i = 0; serial && i < stack->n; i++)
    if (stack->items[i].serial == serial) return i;
  return -1;
}

/* Leave bracket `serial`, and what is inside it, while its thread runs or another one.
 * Whether it was there. */
static bool leave(struct stack *stack, long serial, bool elsewhere) {
  int at = find(stack, serial);
  if (at < 0 || stack->items[at].left) return false;
  if (elsewhere) {
    stack->items[at].left = true;
    return true;
  }
  stack->n = at;
  stack->n = in_force(stack);
  return true;
}

/* ---- Coroutines ---- */

/* A run, from its beginning to its end; a resume between the two takes its bracket away. */
struct run {
  struct answer outer;
  bool outer_has, attached;
  long serial;
  unsigned turns;
};

enum life { FREE, SUSPENDED, RUNNING, DEAD };

struct coroutine {
  enum life life;
  bool main; /* of its state: nothing is given to it, its runs are plain brackets */
  const void *L;
  bool has; /* a context of its own: */
  struct answer own;
  struct run runs[RUNS];
  int runs_n;
  bool resumed;          /* by a resume that is managed: */
  long scope;            /* its bracket */
  struct answer resumer; /* what was current there */
  unsigned inside;       /* how many brackets on its behalf are under way */
  unsigned turns;
};

static bool is_managed(const struct stack *stack, const struct coroutine *co) {
  const void *tag = tag_of(stack);
  bool is_covered = tag == NULL && in_force(stack) > 0; /* by what C attached inside */
  return (tag == co->L || is_covered) && (co->main || co->inside > 0);
}

/* What Lua sees. */
static struct answer seen_by(const struct stack *stack, const struct coroutine *co) {
  if (is_managed(stack, co) || !co->has) return current(stack);
  return co->own;
}

static void begin_run(struct stack *stack, struct coroutine *co, struct answer is) {
  struct run *run = &co->runs[co->runs_n++];
  bool managed = co->main || is_managed(stack, co);
  *run = (struct run){.attached = managed};
  if (managed) run->serial = push(stack, is, co->L);
  if (co->main) return;
  run->outer = co->own;
  run->outer_has = co->has;
  run->turns = co->turns;
  co->own = is;
  co->has = true;
}

static void end_run(struct stack *stack, struct coroutine *co) {
  struct run *run = &co->runs[--co->runs_n];
  bool since = !co->main && run->turns != co->turns, stands;
  if (!since && run->attached) leave(stack, run->serial, false);
  if (co->main) return;
  co->own = run->outer;
  co->has = run->outer_has;
  if (!since || !co->resumed || find(stack, co->scope) < 0) return;
  stands =
      find(stack, co->scope) < in_force(stack); /* not inside what another thread left */
  if (leave(stack, co->scope, false) && stands)
    co->scope = push(stack, co->has ? co->own : co->resumer, co->L);
}

/* What is told of an answer that has ended with its request. */
static struct answer settled(struct answer is) {
  if (has_ended(is.mark) && is.lifetime != HANDED_OVER) is.id = 0;
  return is;
}

/* A resume; one that is managed has a bracket. */
static void begin_resume(struct stack *stack, struct coroutine *co, struct answer resumer,
                         bool managed) {
  co->life = RUNNING;
  co->resumed = managed;
  if (!managed) return;
  co->resumer = settled(resumer);
  co->scope = push(stack, co->has ? co->own : co->resumer, co->L);
  co->inside = 1;
  co->turns++;
}

/* Give it what it has outside of its runs. */
static void bind_to(struct coroutine *co, struct answer is, bool has) {
  struct run *first = co->runs;
  if (co->runs_n > 0) {
    first->outer = is;
    first->outer_has = has;
  } else {
    co->own = is;
    co->has = has;
  }
}

/* The body yielded, or has ended, well or not: what it had goes with it. */
static void end_resume(struct stack *stack, struct coroutine *co, bool yielded) {
  while (!yielded && co->runs_n > 0) end_run(stack, co);
  co->life = yielded ? SUSPENDED : DEAD;
  if (!co->resumed) return;
  if (!leave(stack, co->scope, false)) /* what was attached since goes nevertheless */
    for (int i = 0; i < co->runs_n; i++)
      if (co->runs[i].attached && co->runs[i].turns == co->turns)
        leave(stack, co->runs[i].serial, false);
  co->turns++;
  co->resumed = false;
  co->inside = 0;
  if (!yielded) co->has = false;
}

#endif
