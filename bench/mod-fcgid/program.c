/* The app of the benchmark in C, with libfcgi: what it loses, any program loses. On SIGTERM it serves the running request, and ends. */

#include <fcgiapp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void stop(int signal) {
  (void)signal;
  FCGX_ShutdownPending();
}

int main(void) {
  /* Without SA_RESTART, so that accept() returns. */
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = stop;
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGUSR1, &action, NULL);

  FCGX_Request request;
  FCGX_Init();
  FCGX_InitRequest(&request, 0, FCGI_FAIL_ACCEPT_ON_INTR);
  while (FCGX_Accept_r(&request) == 0) {
    const char *query = FCGX_GetParam("QUERY_STRING", request.envp);
    const char *wait = query == NULL ? NULL : strstr(query, "wait=");
    char body[4096];
    while (FCGX_GetStr(body, sizeof body, request.in) > 0) {
    }
    if (wait != NULL) {
      long left = atol(wait + 5) * 1000;
      usleep(left);
    }
    FCGX_FPrintF(request.out, "Content-Type: application/json\r\n\r\n{\"pid\":%d}", (int)getpid());
    FCGX_Finish_r(&request);
  }
  return 0;
}
