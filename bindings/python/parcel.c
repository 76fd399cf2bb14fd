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

static void unpack_all(struct home *home) {
  struct parcel *parcel;
  while ((parcel = atomic_exchange(&home->queue, NULL)) != NULL)
    while (parcel) {
      struct parcel *next = parcel->next;
      parcel->unpack(parcel);
      parcel = next;
    }
}

/* Giving back may run finalizers. They work for nobody, so background is current meanwhile. What
 * they send in their turn is left to the drain that is on: a long chain does not recurse. */
void cctx__py_drain(struct home *home) {
  PyObject *type, *error, *traceback;
  cctx_token token;
  int status;
  if (atomic_load_explicit(&home->queue, memory_order_relaxed) == NULL || home->draining)
    return;
  home->draining = true;
  PyErr_Fetch(&type, &error, &traceback);
  status = cctx_attach_background(&token);
  unpack_all(home);
  if (status == CCTX_OK) cctx_detach(&token);
  PyErr_Restore(type, error, traceback);
  home->draining = false;
}
