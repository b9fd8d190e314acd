/* The routes on libfcgi (cc conformance.c -lfcgi). The argument is the path or :PORT to listen on. */
#include <fcgiapp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char HEAD[] = "Content-Type: text/plain\r\n\r\n";

static const char *param(FCGX_Request *request, const char *name)
{
    const char *value = FCGX_GetParam(name, request->envp);
    return value == NULL ? "" : value;
}

/* Prints `name=value`, both in hexadecimal. The first `=` of an entry separates them. */
static void params(FCGX_Request *request)
{
    for (char **entry = request->envp; *entry != NULL; entry++) {
        const char *equals = strchr(*entry, '=');
        for (const char *at = *entry; *at != '\0'; at++) {
            if (at == equals) FCGX_PutS("=", request->out);
            else FCGX_FPrintF(request->out, "%02x", (unsigned char)*at);
        }
        FCGX_PutS("\n", request->out);
    }
}

static void body(FCGX_Request *request)
{
    size_t length = 0, size = 65536;
    char *content = malloc(size);
    for (int got; (got = FCGX_GetStr(content + length, size - length, request->in)) > 0;) {
        length += got;
        if (length == size) content = realloc(content, size *= 2);
    }
    FCGX_PutS(HEAD, request->out);
    FCGX_PutStr(content, length, request->out);
    free(content);
}

static void echo(FCGX_Request *request)
{
    FCGX_PutS(HEAD, request->out);
    FCGX_PutS("begun\n", request->out);
    FCGX_FFlush(request->out);
    /* FCGX_GetStr waits until its buffer is full, so read one byte at a time. */
    for (int byte; (byte = FCGX_GetChar(request->in)) != EOF;) {
        FCGX_PutChar(byte, request->out);
        FCGX_FFlush(request->out);
    }
}

static void bytes(FCGX_Request *request, long count)
{
    FCGX_PutS(HEAD, request->out);
    for (; count >= 10; count -= 10) FCGX_PutStr("0123456789", 10, request->out);
    FCGX_PutStr("0123456789", count, request->out);
}

static void both_ways(FCGX_Request *request)
{
    FCGX_PutS(HEAD, request->out);
    for (int i = 0; i < 100; i++) {
        FCGX_FPrintF(request->out, "out %d\n", i);
        FCGX_FPrintF(request->err, "err %d\n", i);
    }
}

static void filter(FCGX_Request *request)
{
    char piece[4096];
    while (FCGX_GetStr(piece, sizeof piece, request->in) > 0) continue;
    FCGX_StartFilterData(request->in);
    FCGX_PutS(HEAD, request->out);
    for (int got; (got = FCGX_GetStr(piece, sizeof piece, request->in)) > 0;) FCGX_PutStr(piece, got, request->out);
}

static void serve(FCGX_Request *request)
{
    const char *path = param(request, "PATH_INFO"), *slash = strrchr(path, '/');
    long number = slash == NULL ? 0 : atol(slash + 1);
    if (strcmp(path, "/params") == 0) {
        FCGX_PutS(HEAD, request->out);
        params(request);
    } else if (strcmp(path, "/body") == 0) {
        body(request);
    } else if (strcmp(path, "/echo") == 0) {
        echo(request);
    } else if (strncmp(path, "/bytes/", 7) == 0) {
        bytes(request, number);
    } else if (strncmp(path, "/slow/", 6) == 0) {
        usleep(number * 1000);
        FCGX_FPrintF(request->out, "%sslow", HEAD);
    } else if (strncmp(path, "/status/", 8) == 0) {
        FCGX_FPrintF(request->out, "Status: %d\r\n\r\n", (int)number);
    } else if (strcmp(path, "/stderr") == 0) {
        both_ways(request);
    } else if (strncmp(path, "/exit/", 6) == 0) {
        FCGX_SetExitStatus(number, request->out);
        FCGX_FPrintF(request->out, "%sexit", HEAD);
    } else if (strcmp(path, "/authorize") == 0) {
        FCGX_FPrintF(request->out, "Variable-CONFORMANCE: yes\r\n%s", HEAD);
    } else if (strcmp(path, "/data") == 0) {
        filter(request);
    } else {
        /* `/hints`: the program writes the head itself, and CGI allows no other head before it. */
        FCGX_FPrintF(request->out, "Status: %d\r\n\r\n", strcmp(path, "/hints") == 0 ? 501 : 404);
    }
}

int main(int argc, char **argv)
{
    FCGX_Request request;
    int socket;
    if (argc != 2 || FCGX_Init() != 0 || (socket = FCGX_OpenSocket(argv[1], 128)) < 0) return 1;
    FCGX_InitRequest(&request, socket, 0);
    while (FCGX_Accept_r(&request) == 0) {
        serve(&request);
        FCGX_Finish_r(&request);
    }
    return 1;
}
