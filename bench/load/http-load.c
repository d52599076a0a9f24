/*
 * A load generator for HTTP APIs: one thread, epoll, keep-alive connections with one request at a time each (closed loop),
 * the paths taken at random from those on standard input, one a line.
 *
 * Prints one JSON object: answers, seconds, rate, body bytes, latency percentiles (us), answers other than 200.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "latency-histogram.h"

enum { HEAD_BYTES = 8192, READ_BYTES = 262144, MAX_PATHS = 100000 };

struct connection {
    int fd;
    char head[HEAD_BYTES + 1];    /* of the answer, until it is whole */
    int head_bytes;
    long body_left;               /* -1: the head is not whole yet */
    uint64_t asked_at;
};

static const char *authorization = "";
static int port, connections = 8;
static double seconds = 10, warmup = 2;
static char *requests[MAX_PATHS];
static int request_count, counting, epoll_fd;
static uint64_t answers, body_bytes, not_ok;
static uint32_t random_state = 1;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void read_paths(void) {
    static char line[4096];
    while (request_count < MAX_PATHS && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\r\n")] = 0;
        if (!*line) continue;
        char *request = NULL;
        if (asprintf(&request, "GET %s HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: %s\r\n\r\n", line, authorization) < 0) fail("asprintf");
        requests[request_count++] = request;
    }
    if (request_count == 0) {
        fprintf(stderr, "no paths on standard input\n");
        exit(2);
    }
}

static void ask(struct connection *c) {
    random_state = random_state * 1664525u + 1013904223u;
    const char *request = requests[(random_state >> 8) % (uint32_t)request_count];
    c->head_bytes = 0;
    c->body_left = -1;
    c->asked_at = now_us();
    if (send(c->fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request)) fail("send");
}

static void answered(struct connection *c) {
    if (counting) {
        answers++;
        histogram[bucket_of(now_us() - c->asked_at)]++;
    }
    ask(c);
}

/* The head has come in whole: its length, the status, how much of a body follows. */
static void take_head(struct connection *c, const char *end) {
    int taken = (int)(end + 4 - c->head);
    if (strncmp(c->head + 9, "200", 3) != 0 && not_ok++ == 0) fprintf(stderr, "%.*s\n", c->head_bytes, c->head);
    const char *length = strcasestr(c->head, "\r\ncontent-length:");
    if (!length || length > end) {
        fprintf(stderr, "an answer without content-length\n");
        exit(1);
    }
    long body = strtol(length + 17, NULL, 10);
    if (counting) body_bytes += (uint64_t)body;
    c->body_left = body - (c->head_bytes - taken);
}

static void take(struct connection *c) {
    static char buffer[READ_BYTES];
    if (c->body_left < 0) {
        ssize_t n = recv(c->fd, c->head + c->head_bytes, (size_t)(HEAD_BYTES - c->head_bytes), MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) fail("recv");
        c->head_bytes += (int)n;
        c->head[c->head_bytes] = 0;
        const char *end = strstr(c->head, "\r\n\r\n");
        if (end) take_head(c, end);
        else if (c->head_bytes == HEAD_BYTES) { fprintf(stderr, "an endless head\n"); exit(1); }
    }
    while (c->body_left > 0) {
        size_t room = (size_t)c->body_left < READ_BYTES ? (size_t)c->body_left : READ_BYTES;
        ssize_t n = recv(c->fd, buffer, room, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) fail("recv");
        c->body_left -= n;
    }
    if (c->body_left == 0) answered(c);
}

static void run(uint64_t until) {
    struct epoll_event events[256];
    while (now_us() < until) {
        int n = epoll_wait(epoll_fd, events, 256, 10);
        for (int i = 0; i < n; i++) take(events[i].data.ptr);
    }
}

int main(int argc, char **argv) {
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *key = argv[i], *value = argv[i + 1];
        if (!strcmp(key, "--port")) port = atoi(value);
        else if (!strcmp(key, "--connections")) connections = atoi(value);
        else if (!strcmp(key, "--seconds")) seconds = atof(value);
        else if (!strcmp(key, "--warmup")) warmup = atof(value);
        else if (!strcmp(key, "--authorization")) authorization = value;
        else { fprintf(stderr, "unknown option %s\n", key); return 2; }
    }
    read_paths();
    epoll_fd = epoll_create1(0);
    struct connection *all = calloc((size_t)connections, sizeof *all);
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    for (int i = 0, one = 1; i < connections; i++) {
        struct connection *c = &all[i];
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0) fail("connect");
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e);
        ask(c);
    }
    uint64_t count_from = now_us() + (uint64_t)(warmup * 1e6);
    run(count_from);
    counting = 1;
    run(count_from + (uint64_t)(seconds * 1e6));
    double measured = (double)(now_us() - count_from) / 1e6;
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = (double)used.ru_utime.tv_sec + (double)used.ru_stime.tv_sec + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    printf("{\"answers\":%llu,\"notOk\":%llu,\"seconds\":%.3f,\"perSecond\":%.0f,\"bodyBytes\":%llu,\"latencyUs\":{\"p50\":%.0f,\"p99\":%.0f,\"p999\":%.0f},\"loadCpuSeconds\":%.2f}\n",
           (unsigned long long)answers, (unsigned long long)not_ok, measured, (double)answers / measured, (unsigned long long)body_bytes,
           percentile(0.5), percentile(0.99), percentile(0.999), cpu);
    return not_ok > 0;
}
