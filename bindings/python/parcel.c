/* SPDX-License-Identifier: Apache-2.0 */
/* Parcels: giving objects back to their interpreter from a thread that does not hold its
 * lock. The core may drop the last reference to a context anywhere; taking the lock
 * there could deadlock, or hang for ever while the interpreter shuts down. So what belongs to
 * it is queued, and given back by the next call into this binding.
 */
#include "home.h"

void cctx__py_send(struct home *home, struct parcel *parcel) {
  struct parcel *head = atomic_load(&home->queue);
  do parcel->next = head;
  while (!atomic_compare_exchange_weak(&home->queue, &head, parcel));
}

/* Giving back may run finalizers, which may send again: the queue is taken whole, and
 * looked at anew until it is empty. */
void cctx__py_drain(struct home *home) {
  PyObject *type, *error, *traceback;
  if (atomic_load_explicit(&home->queue, memory_order_relaxed) == NULL) return;
  PyErr_Fetch(&type, &error, &traceback);
  for (;;) {
    struct parcel *parcel = atomic_exchange(&home->queue, NULL);
    if (parcel == NULL) break;
    while (parcel) {
      struct parcel *next = parcel->next;
      parcel->unpack(parcel);
      parcel = next;
    }
  }
  PyErr_Restore(type, error, traceback);
}
