/* SPDX-License-Identifier: Apache-2.0 */
/* Loads a plugin and lets it go, 100 times, each time before a thread ends that used it. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static pthread_barrier_t used, gone;
static void *plugin;

static void *use(void *result) {
  int (*work)(void);
  void *symbol = dlsym(plugin, "work");
  memcpy(&work, &symbol, sizeof work);
  *(int *)result = work ? work() : -1;
  pthread_barrier_wait(&used);
  pthread_barrier_wait(&gone);
  return NULL;
}

int main(int argc, char **argv) {
  pthread_barrier_init(&used, NULL, 2);
  pthread_barrier_init(&gone, NULL, 2);
  for (int i = 0; i < 100 && argc == 2; i++) {
    pthread_t thread;
    int result = 0;
    plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (plugin == NULL) return fprintf(stderr, "%s\n", dlerror()), 1;
    if (pthread_create(&thread, NULL, use, &result) != 0) return 1;
    pthread_barrier_wait(&used);
    dlclose(plugin);
    pthread_barrier_wait(&gone);
    pthread_join(thread, NULL);
    if (result != 0) return fprintf(stderr, "round %d: %d\n", i, result), 1;
  }
  return puts("unloaded"), 0;
}
