/* SPDX-License-Identifier: Apache-2.0 */
/* Counts allocations by an allocator of its own, instructions by the processor's counter,
 * system calls by tracing a child.
 */
#include "count.h"

#include <stdlib.h>
#include <string.h>

/* ---- Allocations ---- */

static long allocated;

static void *count_alloc(size_t size, void *arg) {
  (void)arg;
  allocated++;
  return malloc(size);
}

static void count_free(void *memory, void *arg) {
  (void)arg;
  free(memory);
}

static void prepare(const struct bench_op *op, long n) {
  if (op->prepare) op->prepare(n);
}

static void restore(const struct bench_op *op, long n) {
  if (op->restore) op->restore(n);
}

static void warm_up(const struct bench_op *op, long n) {
  prepare(op, n);
  op->run(n);
  restore(op, n);
}

double count_allocations(const struct bench_op *op, long n) {
  const struct cctx_allocator counting = {count_alloc, count_free, NULL};
  warm_up(op, n);
  prepare(op, n);
  allocated = 0;
  cctx_set_allocator(&counting);
  op->run(n);
  cctx_set_allocator(NULL);
  restore(op, n);
  return (double)allocated / (double)n;
}

#ifdef __linux__
#include <linux/perf_event.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Instructions ---- */

static int open_counter(void) {
  struct perf_event_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.size = sizeof attr;
  attr.type = PERF_TYPE_HARDWARE;
  attr.config = PERF_COUNT_HW_INSTRUCTIONS;
  attr.disabled = 1;
  attr.exclude_kernel = 1;
  attr.exclude_hv = 1;
  return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

double count_instructions(const struct bench_op *op, long n) {
  uint64_t counted = 0;
  int fd = open_counter();
  if (fd < 0) return -1;
  warm_up(op, n);
  prepare(op, n);
  ioctl(fd, PERF_EVENT_IOC_ENABLE, 0);
  op->run(n);
  ioctl(fd, PERF_EVENT_IOC_DISABLE, 0);
  restore(op, n);
  if (read(fd, &counted, sizeof counted) != (ssize_t)sizeof counted) counted = 0;
  close(fd);
  return counted ? (double)counted / (double)n : -1;
}

/* ---- System calls ----
 *
 * The child stops itself for its parent, then marks begin and end of the run with a system
 * call that nothing else makes.
 */
enum { MARK = SYS_getppid };

static _Noreturn void run_traced(const struct bench_op *op, long x, long n) {
  if (op->open) op->open(x);
  warm_up(op, n);
  prepare(op, n);
  if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) _exit(1);
  raise(SIGSTOP);
  syscall(MARK);
  op->run(n);
  syscall(MARK);
  _exit(0); /* with all it has: restore is not what is counted */
}

/* The number of the call that `child` is entering; -1 where it is leaving one. */
static long entered(pid_t child) {
  struct __ptrace_syscall_info info;
  void *size = (void *)sizeof info;
  if (ptrace(PTRACE_GET_SYSCALL_INFO, child, size, &info) <= 0) return -1;
  return info.op == PTRACE_SYSCALL_INFO_ENTRY ? (long)info.entry.nr : -1;
}

/* The calls between the marks; -1 if the child did not come to the second. */
static long follow(pid_t child) {
  long calls = 0, signal = 0;
  int marks = 0, status;
  void *options = (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return -1;
  ptrace(PTRACE_SETOPTIONS, child, NULL, options);
  while (ptrace(PTRACE_SYSCALL, child, NULL, (void *)signal) == 0) {
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) break;
    signal = 0;
    if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
      long number = entered(child);
      if (number == MARK)
        marks++;
      else if (number >= 0 && marks == 1)
        calls++;
    } else if (WSTOPSIG(status) != SIGSTOP) {
      signal = WSTOPSIG(status);
    }
  }
  return marks == 2 ? calls : -1;
}

double count_syscalls(const struct bench_op *op, long x, long n) {
  long calls;
  pid_t child = fork();
  if (child == 0) run_traced(op, x, n);
  if (child < 0) return -1;
  calls = follow(child);
  return calls < 0 ? -1 : (double)calls / (double)n;
}

#else

double count_instructions(const struct bench_op *op, long n) {
  (void)op, (void)n;
  return -1;
}

double count_syscalls(const struct bench_op *op, long x, long n) {
  (void)op, (void)x, (void)n;
  return -1;
}

#endif
