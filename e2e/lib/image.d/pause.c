// SPDX-License-Identifier: Apache-2.0
//
// The program of the pause container: it holds a pod's namespaces open, reaps what is left to it as
// pid 1 and ends on TERM. Linked statically, it is the whole image.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void end(int signal) {
  (void)signal;
  _exit(0);
}

static void reap(int signal) {
  (void)signal;
  while (waitpid(-1, NULL, WNOHANG) > 0) {
  }
}

int main(void) {
  signal(SIGINT, end);
  signal(SIGTERM, end);
  signal(SIGCHLD, reap);
  for (;;) {
    pause();
  }
}
