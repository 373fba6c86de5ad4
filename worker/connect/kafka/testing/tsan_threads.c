// SPDX-License-Identifier: Apache-2.0
// C11 threads by way of pthreads, for ThreadSanitizer builds only: librdkafka uses thrd_create and
// the like, which the sanitizer of g++ 12 does not intercept, and the process dies in the client's
// first thread. Linked into test programs with -rdynamic; see scripts/tsan.supp for what remains.
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>
#include <time.h>

struct start {
  thrd_start_t function;
  void* argument;
};

static void* run(void* argument) {
  struct start start = *(struct start*)argument;
  free(argument);
  return (void*)(intptr_t)start.function(start.argument);
}

int thrd_create(thrd_t* thread, thrd_start_t function, void* argument) {
  struct start* start = malloc(sizeof *start);
  if (start == NULL) {
    return thrd_nomem;
  }
  start->function = function;
  start->argument = argument;
  if (pthread_create((pthread_t*)thread, NULL, run, start) != 0) {
    free(start);
    return thrd_error;
  }
  return thrd_success;
}

int thrd_join(thrd_t thread, int* result) {
  void* value = NULL;
  if (pthread_join((pthread_t)thread, &value) != 0) {
    return thrd_error;
  }
  if (result != NULL) {
    *result = (int)(intptr_t)value;
  }
  return thrd_success;
}

int thrd_detach(thrd_t thread) {
  return pthread_detach((pthread_t)thread) != 0 ? thrd_error : thrd_success;
}

int mtx_init(mtx_t* mutex, int type) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  if ((type & mtx_recursive) != 0) {
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  }
  return pthread_mutex_init((pthread_mutex_t*)mutex, &attributes) != 0 ? thrd_error : thrd_success;
}

int mtx_lock(mtx_t* mutex) {
  return pthread_mutex_lock((pthread_mutex_t*)mutex) != 0 ? thrd_error : thrd_success;
}

int mtx_trylock(mtx_t* mutex) {
  int error = pthread_mutex_trylock((pthread_mutex_t*)mutex);
  return error == 0 ? thrd_success : error == EBUSY ? thrd_busy : thrd_error;
}

int mtx_unlock(mtx_t* mutex) {
  return pthread_mutex_unlock((pthread_mutex_t*)mutex) != 0 ? thrd_error : thrd_success;
}

void mtx_destroy(mtx_t* mutex) {
  pthread_mutex_destroy((pthread_mutex_t*)mutex);
}

int cnd_init(cnd_t* condition) {
  return pthread_cond_init((pthread_cond_t*)condition, NULL) != 0 ? thrd_error : thrd_success;
}

int cnd_signal(cnd_t* condition) {
  return pthread_cond_signal((pthread_cond_t*)condition) != 0 ? thrd_error : thrd_success;
}

int cnd_broadcast(cnd_t* condition) {
  return pthread_cond_broadcast((pthread_cond_t*)condition) != 0 ? thrd_error : thrd_success;
}

int cnd_wait(cnd_t* condition, mtx_t* mutex) {
  return pthread_cond_wait((pthread_cond_t*)condition, (pthread_mutex_t*)mutex) != 0 ? thrd_error
                                                                                     : thrd_success;
}

int cnd_timedwait(cnd_t* condition, mtx_t* mutex, const struct timespec* until) {
  int error = pthread_cond_timedwait((pthread_cond_t*)condition, (pthread_mutex_t*)mutex, until);
  return error == 0 ? thrd_success : error == ETIMEDOUT ? thrd_timedout : thrd_error;
}

void cnd_destroy(cnd_t* condition) {
  pthread_cond_destroy((pthread_cond_t*)condition);
}
