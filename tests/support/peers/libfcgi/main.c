/* The routes of all peers in these tests, on libfcgi: one process, with one connection and one request at a time. */
#include <fcgiapp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *param(FCGX_Request *request, const char *name)
{
    const char *value = FCGX_GetParam(name, request->envp);
    return value == NULL ? "" : value;
}

/* Returns the value of `name` in a query with one field. */
static const char *query(FCGX_Request *request, const char *name)
{
    const char *text = param(request, "QUERY_STRING");
    size_t length = strlen(name);
    return strncmp(text, name, length) == 0 && text[length] == '=' ? text + length + 1 : "";
}

static uint32_t crc32(uint32_t crc, const unsigned char *bytes, int length)
{
    crc = ~crc;
    for (int i = 0; i < length; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
    }
    return ~crc;
}

static void params(FCGX_Request *request)
{
    for (char **entry = request->envp; *entry != NULL; entry++) FCGX_FPrintF(request->out, "%s\n", *entry);
}

static void body(FCGX_Request *request)
{
    char buffer[65536];
    long length = 0;
    uint32_t crc = 0;
    for (int got; (got = FCGX_GetStr(buffer, sizeof buffer, request->in)) > 0; length += got)
        crc = crc32(crc, (unsigned char *)buffer, got);
    FCGX_FPrintF(request->out, "%ld %08x", length, crc);
}

static void bytes(FCGX_Request *request)
{
    char piece[65536];
    for (size_t i = 0; i < sizeof piece; i++) piece[i] = "0123456789abcdef"[i % 16];
    for (long left = atol(query(request, "length")); left > 0; left -= sizeof piece)
        FCGX_PutStr(piece, left < (long)sizeof piece ? left : (long)sizeof piece, request->out);
}

static void stream(FCGX_Request *request)
{
    char held[4096], proceed[4096];
    const char *folder = getenv("FCGI_BRIDGE_TEST_CONTROL"), *id = query(request, "id");
    snprintf(held, sizeof held, "%s/%s.held", folder, id);
    snprintf(proceed, sizeof proceed, "%s/%s.continue", folder, id);
    FCGX_FPrintF(request->out, "first\n");
    FCGX_FFlush(request->out);
    FILE *file = fopen(held, "w");
    if (file != NULL) fclose(file);
    while (access(proceed, F_OK) != 0) usleep(5000);
    FCGX_FPrintF(request->out, "last\n");
}

static void serve(FCGX_Request *request)
{
    const char *path = param(request, "PATH_INFO"), *status = query(request, "status");
    /* Ends without a response: sends FCGI_END_REQUEST only. */
    if (strcmp(path, "/exit") == 0) {
        FCGX_SetExitStatus(atoi(status), request->out);
        return;
    }
    if (strcmp(path, "/redirect") == 0) {
        FCGX_FPrintF(request->out, "Location: /params?redirected\r\n\r\n");
        return;
    }
    FCGX_FPrintF(request->out, "Content-Type: text/plain\r\n");
    if (strcmp(path, "/params") == 0) {
        FCGX_FPrintF(request->out, "\r\n");
        params(request);
    } else if (strcmp(path, "/body") == 0) {
        FCGX_FPrintF(request->out, "\r\n");
        body(request);
    } else if (strcmp(path, "/bytes") == 0) {
        FCGX_FPrintF(request->out, "\r\n");
        bytes(request);
    } else if (strcmp(path, "/stream") == 0) {
        FCGX_FPrintF(request->out, "\r\n");
        stream(request);
    } else if (strcmp(path, "/stderr") == 0) {
        FCGX_FPrintF(request->err, "a line for FCGI_STDERR");
        FCGX_FPrintF(request->out, "\r\nwritten\n");
    } else if (strcmp(path, "/status") == 0) {
        FCGX_SetExitStatus(atoi(status), request->out);
        FCGX_FPrintF(request->out, "\r\nended with %s\n", status);
    } else {
        FCGX_FPrintF(request->out, "Status: 404 Not Found\r\n\r\nnothing here\n");
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
