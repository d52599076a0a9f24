/*
 * A load generator for MQTT brokers that is never the bottleneck: one thread, epoll, packets encoded in place.
 *
 * Each connection is one device that publishes `prefix{n}` at the given QoS, one packet a write(), with at most `window`
 * messages unacknowledged (QoS 1, 2) or paced by --rate (all QoS). With QoS 0 each 32nd message is followed by a PINGREQ, and
 * counts as taken, with those before it, when the PINGRESP comes: at most 64 wait for that. Payload: JSON of 3 metrics with 2 decimals and a
 * timestamp of its own, 75 bytes or so, so that each message is a distinct point. With `--topics T` connection i publishes to
 * the topics i, i + connections, ... below T in turn, six digits each.
 *
 * Prints one JSON object: messages acknowledged, seconds, rate, latency percentiles (us, PUBLISH written -> acknowledged).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "latency-histogram.h"

/* OPENING: connections that wait for their CONNACK; more than a listen backlog would cost a SYN's retry each. */
enum { READ_BYTES = 65536, MAX_WINDOW = 1024, PING_EVERY = 32, OPENING = 64 };

struct connection {
    int fd;
    int connected;            /* CONNACK seen */
    int in_flight;
    int stalled;              /* the socket took no more: wait for EPOLLOUT */
    uint16_t next_id;
    uint32_t walk;            /* state of the random walk */
    uint8_t packet[512];
    int packet_bytes, id_at, digits_at[3], time_at, topic_end;
    int pending, writing;     /* bytes of the packet not written yet, after a short write, and in all */
    int since_ping, pings;    /* QoS 0: messages after the last PINGREQ, PINGREQs without an answer */
    int asked_last;           /* the last PINGREQ is written: it stands for fewer messages */
    uint8_t partial[8];       /* head of a packet that was cut by a read */
    int partial_bytes;
    uint64_t last_ms;         /* time of the last message, with --live-time */
    uint64_t sent_at[MAX_WINDOW];
};

static const char *host = "127.0.0.1", *prefix = "telemetry/bench-", *client_prefix = "bench-";
static int no_delay = 1; /* TCP_NODELAY */
static int port = 1883, connections = 1000, window = 20, qos = 1, first_id = 0, ramp_only = 0, live_time = 0;
static double seconds = 10, warmup = 2, rate = 0;
static int topics = 0, accepted = 0;
static uint64_t message_limit, time_base_ms, sent_total, acked_total, acked_counted, errors, closed;
static struct connection *all;
static int epoll_fd;
static int running, counting;   /* publishing at all; messages count */

static void put_digits(uint8_t *at, int digits, uint64_t value) {
    for (int i = digits - 1; i >= 0; i--, value /= 10) at[i] = (uint8_t)('0' + value % 10);
}

static void build_packet(struct connection *c, int n) {
    char topic[128], payload[256];
    int topic_bytes = snprintf(topic, sizeof topic, topics ? "%s%06d" : "%s%d", prefix, n);
    int payload_bytes = snprintf(payload, sizeof payload, "{\"ts\":0000000000000,\"temperature\":20.00,\"humidity\":40.00,\"pressure\":1013.00}");
    int remaining = 2 + topic_bytes + (qos ? 2 : 0) + payload_bytes, at = 0;
    c->packet[at++] = (uint8_t)(0x30 | qos << 1);
    for (int rest = remaining; ; ) {
        c->packet[at++] = (uint8_t)(rest % 128 | (rest >= 128 ? 0x80 : 0));
        rest /= 128;
        if (!rest) break;
    }
    c->packet[at++] = (uint8_t)(topic_bytes >> 8);
    c->packet[at++] = (uint8_t)topic_bytes;
    memcpy(c->packet + at, topic, (size_t)topic_bytes);
    at += topic_bytes;
    c->topic_end = c->id_at = at;
    if (qos) at += 2;
    memcpy(c->packet + at, payload, (size_t)payload_bytes);
    c->time_at = at + 6;
    c->digits_at[0] = at + (int)(strstr(payload, "20.00") - payload);
    c->digits_at[1] = at + (int)(strstr(payload, "40.00") - payload);
    c->digits_at[2] = at + (int)(strstr(payload, "1013.00") - payload);
    c->packet_bytes = at + payload_bytes;
    memcpy(c->packet + c->packet_bytes, (uint8_t[2]){ 0xc0, 0 }, 2);
    c->walk = (uint32_t)n * 2654435761u + 12345u;
}

/* The time of a message: counted on from the base by 1 ms, or the wall clock, but never twice the same on a connection. */
static uint64_t time_of(struct connection *c, uint64_t index) {
    if (!live_time) return time_base_ms + index;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    uint64_t now_ms = (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
    c->last_ms = now_ms > c->last_ms ? now_ms : c->last_ms + 1;
    return c->last_ms;
}

/* The next value of each metric and the next timestamp. */
static void next_payload(struct connection *c, uint64_t index) {
    c->walk = c->walk * 1664525u + 1013904223u;
    put_digits(c->packet + c->digits_at[0], 2, 20 + (c->walk >> 30));
    put_digits(c->packet + c->digits_at[0] + 3, 2, 10 + (c->walk >> 27) % 32);
    put_digits(c->packet + c->digits_at[1] + 3, 2, (c->walk >> 20) % 64);
    put_digits(c->packet + c->digits_at[2] + 5, 2, (c->walk >> 10) % 50);
    put_digits(c->packet + c->time_at, 13, time_of(c, index));
}

static uint64_t *sent_count;

static void watch(struct connection *c, uint32_t events) {
    struct epoll_event e = { .events = events, .data.ptr = c };
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
}

/* Writes one PUBLISH. Returns 0 when the socket is full. */
static int publish(struct connection *c) {
    int index = (int)(c - all);
    if (c->pending == 0) {
        uint64_t nth = sent_count[index]++;
        next_payload(c, nth);
        if (topics) put_digits(c->packet + c->topic_end - 6, 6, ((uint64_t)index + nth * (uint64_t)connections) % (uint64_t)topics);
        if (qos) {
            c->next_id = c->next_id == 65535 ? 1 : (uint16_t)(c->next_id + 1);
            c->packet[c->id_at] = (uint8_t)(c->next_id >> 8);
            c->packet[c->id_at + 1] = (uint8_t)c->next_id;
            c->sent_at[c->next_id % MAX_WINDOW] = now_us();
            c->in_flight++;
        }
        sent_total++;
        c->pending = c->writing = c->packet_bytes;
        if (!qos && ++c->since_ping == PING_EVERY) {
            c->writing = c->pending += 2;
            c->since_ping = 0;
            c->pings++;
        }
    }
    ssize_t n = send(c->fd, c->packet + c->writing - c->pending, (size_t)c->pending, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) c->pending -= (int)n;
    if (c->pending == 0) return 1;
    if (n < 0 && errno != EAGAIN) { errors++; c->connected = 0; return 0; }
    c->stalled = 1;
    watch(c, EPOLLIN | EPOLLOUT);
    return 0;
}

/* With --topics each connection has the same share, so that each topic gets the same. */
static int is_enough(const struct connection *c) {
    if (message_limit == 0) return 0;
    return topics ? sent_count[c - all] >= message_limit / (uint64_t)connections : sent_total >= message_limit;
}

static void fill(struct connection *c) {
    if (!running || rate > 0) return;
    while (qos && c->connected && !c->stalled && c->in_flight < window && !is_enough(c) && publish(c)) {}
}

/* QoS 0: the broker has taken so many more. */
static void taken(int messages) {
    acked_total += (uint64_t)messages;
    if (counting) acked_counted += (uint64_t)messages;
}

/* At the end each connection asks about the rest, once its last message is written. */
static void ping_last(void) {
    for (int i = 0; i < connections; i++) {
        struct connection *c = &all[i];
        if (c->asked_last || !c->connected || c->since_ping == 0 || c->pending > 0) continue;
        if (send(c->fd, (uint8_t[2]){ 0xc0, 0 }, 2, MSG_NOSIGNAL) != 2) { errors++; continue; }
        c->asked_last = 1;
        c->pings++;
    }
}

static void acknowledged(struct connection *c, uint16_t id) {
    c->in_flight--;
    acked_total++;
    if (!counting) return;
    acked_counted++;
    histogram[bucket_of(now_us() - c->sent_at[id % MAX_WINDOW])]++;
}

static void handle(struct connection *c, const uint8_t *p, int bytes) {
    (void)bytes;
    uint16_t id = (uint16_t)(p[2] << 8 | p[3]);
    switch (p[0] >> 4) {
    case 2:
        if (p[3] != 0) { fprintf(stderr, "CONNACK %d\n", p[3]); errors++; } else { c->connected = 1; accepted++; }
        break;
    case 4: case 7:
        acknowledged(c, id);
        break;
    case 5: {
        uint8_t release[4] = { 0x62, 2, p[2], p[3] };
        if (send(c->fd, release, 4, MSG_NOSIGNAL) != 4) errors++;
        break;
    }
    case 13:
        taken(--c->pings == 0 && c->asked_last ? c->since_ping : PING_EVERY);
        break;
    default: break;
    }
}

static void read_all(struct connection *c) {
    static uint8_t buffer[READ_BYTES + 8];
    memcpy(buffer, c->partial, (size_t)c->partial_bytes);
    ssize_t n = recv(c->fd, buffer + c->partial_bytes, READ_BYTES, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        closed++;
        c->connected = 0;
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
        return;
    }
    if (n < 0) return;
    int end = c->partial_bytes + (int)n, at = 0;
    while (end - at >= 2 && end - at >= 2 + buffer[at + 1]) {
        handle(c, buffer + at, 2 + buffer[at + 1]);
        at += 2 + buffer[at + 1];
    }
    c->partial_bytes = end - at;
    if (c->partial_bytes > (int)sizeof c->partial) { errors++; c->partial_bytes = 0; }
    memcpy(c->partial, buffer + at, (size_t)c->partial_bytes);
}

static void open_connection(struct connection *c, int n) {
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    inet_pton(AF_INET, host, &to.sin_addr);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0) { perror("connect"); exit(1); }
    char id[64];
    int id_bytes = snprintf(id, sizeof id, "%s%d", client_prefix, n);
    uint8_t connect_packet[128] = { 0x10, (uint8_t)(12 + id_bytes), 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0, 0, (uint8_t)id_bytes };
    memcpy(connect_packet + 14, id, (size_t)id_bytes);
    if (send(c->fd, connect_packet, (size_t)(14 + id_bytes), MSG_NOSIGNAL) < 0) errors++;
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e);
    build_packet(c, n);
}

static void poll_once(int timeout_ms) {
    struct epoll_event events[512];
    int n = epoll_wait(epoll_fd, events, 512, timeout_ms);
    for (int i = 0; i < n; i++) {
        struct connection *c = events[i].data.ptr;
        if (events[i].events & EPOLLOUT) {
            c->stalled = 0;
            if (c->pending == 0 || publish(c)) watch(c, EPOLLIN);
        }
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_all(c);
        fill(c);
    }
}

/* QoS 0 has no window: each connection in turn writes until 16 are out or its socket is full. */
static void run_unpaced(uint64_t until) {
    while (now_us() < until && !(message_limit > 0 && acked_total >= message_limit)) {
        int wrote = 0;
        for (int i = 0; !qos && i < connections; i++) {
            struct connection *c = &all[i];
            for (int k = 0; k < 16 && c->connected && !c->stalled && c->pings < 2 && !is_enough(c) && publish(c); k++) wrote++;
        }
        poll_once(wrote ? 0 : 10);
    }
}

static void run_paced(uint64_t until, uint64_t began, uint64_t *paced) {
    static int turn;
    while (now_us() < until) {
        uint64_t due = (uint64_t)((double)(now_us() - began) * rate / 1e6);
        int tried = 0;
        while (*paced < due && tried < connections) {
            struct connection *c = &all[turn];
            turn = (turn + 1) % connections;
            if (c->connected && !c->stalled && c->in_flight < MAX_WINDOW - 1) { publish(c); (*paced)++; tried = 0; } else tried++;
        }
        poll_once(*paced < due ? 0 : 1);
    }
}

int main(int argc, char **argv) {
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *key = argv[i], *value = argv[i + 1];
        if (!strcmp(key, "--host")) host = value;
        else if (!strcmp(key, "--port")) port = atoi(value);
        else if (!strcmp(key, "--connections")) connections = atoi(value);
        else if (!strcmp(key, "--window")) window = atoi(value);
        else if (!strcmp(key, "--qos")) qos = atoi(value);
        else if (!strcmp(key, "--no-delay")) no_delay = atoi(value);
        else if (!strcmp(key, "--seconds")) seconds = atof(value);
        else if (!strcmp(key, "--warmup")) warmup = atof(value);
        else if (!strcmp(key, "--rate")) rate = atof(value);
        else if (!strcmp(key, "--topic-prefix")) prefix = value;
        else if (!strcmp(key, "--client-prefix")) client_prefix = value;
        else if (!strcmp(key, "--first-id")) first_id = atoi(value);
        else if (!strcmp(key, "--time-base-ms")) time_base_ms = strtoull(value, NULL, 10);
        else if (!strcmp(key, "--messages")) message_limit = strtoull(value, NULL, 10);
        else if (!strcmp(key, "--live-time")) live_time = atoi(value);
        else if (!strcmp(key, "--topics")) topics = atoi(value);
        else if (!strcmp(key, "--idle")) ramp_only = atoi(value);
        else { fprintf(stderr, "unknown option %s\n", key); return 2; }
    }
    if (window >= MAX_WINDOW) window = MAX_WINDOW - 1;
    if (time_base_ms == 0) time_base_ms = (uint64_t)time(NULL) * 1000u - 3600000u;
    struct rlimit files = { 20000, 20000 };
    setrlimit(RLIMIT_NOFILE, &files);
    epoll_fd = epoll_create1(0);
    all = calloc((size_t)connections, sizeof *all);
    sent_count = calloc((size_t)connections, sizeof *sent_count);
    uint64_t started = now_us();
    for (int i = 0; i < connections; i++) {
        open_connection(&all[i], first_id + i);
        while (i - accepted >= OPENING && now_us() < started + 60000000u) poll_once(10);
    }
    while (accepted < connections && now_us() < started + 60000000u) poll_once(10);
    double connect_seconds = (double)(now_us() - started) / 1e6;
    if (ramp_only) {
        printf("{\"connected\":%d,\"seconds\":%.3f}\n", accepted, connect_seconds);
        fflush(stdout);
        sleep((unsigned)ramp_only);
        return 0;
    }
    uint64_t began = now_us(), paced = 0;
    running = 1;
    for (int i = 0; i < connections; i++) fill(&all[i]);
    uint64_t count_from = began + (uint64_t)(warmup * 1e6), end = count_from + (uint64_t)(seconds * 1e6);
    if (rate > 0) run_paced(count_from, began, &paced);
    else run_unpaced(count_from);
    double cpu_before = cpu_seconds();
    counting = 1;
    if (rate > 0) run_paced(end, began, &paced);
    else run_unpaced(end);
    counting = 0;
    double measured = (double)(now_us() - count_from) / 1e6;
    double busy = (cpu_seconds() - cpu_before) / measured;
    window = 0;
    rate = 1;
    for (uint64_t drain = now_us() + 10000000u; now_us() < drain && acked_total < sent_total; ) {
        if (!qos) ping_last();
        poll_once(10);
    }
    printf("{\"sent\":%llu,\"acked\":%llu,\"counted\":%llu,\"seconds\":%.3f,\"perSecond\":%.0f,\"latencyUs\":{\"p50\":%.0f,\"p99\":%.0f,\"p999\":%.0f},"
           "\"connectSeconds\":%.3f,\"errors\":%llu,\"closed\":%llu,\"loadCpuSeconds\":%.2f,\"loadBusy\":%.2f}\n",
           (unsigned long long)sent_total, (unsigned long long)acked_total, (unsigned long long)acked_counted, measured, (double)acked_counted / measured,
           percentile(0.5), percentile(0.99), percentile(0.999), connect_seconds, (unsigned long long)errors, (unsigned long long)closed, cpu_seconds(), busy);
    return errors > 0;
}
