/*
 * Measures deliveries of an MQTT broker: one thread, epoll. `--pairs 0`: one publisher, N subscribers of its topic.
 * `--pairs 1`: N publishers, each with one subscriber of its own topic.
 *
 * A closed loop: a publisher has at most `window` messages under way, that is published and not yet delivered to all its
 * subscribers (and, with QoS 1, acknowledged by the broker). The payload is padded; its first 8 bytes are the time of the
 * send, so that each delivery gives a latency. A publisher that gets on no further for a second counts what is missing as
 * lost and goes on.
 *
 * Subscribers acknowledge all PUBLISHes of one read with one write. Prints one JSON object.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
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

enum { BUFFER_BYTES = 65536, PACKET_BYTES = 512, STALL_US = 1000000 };

struct connection {
    int fd, ready;
    int group;                    /* which publisher its messages come from */
    int is_publisher;
    uint8_t *partial;             /* head of a packet that was cut by a read */
    int partial_bytes;
};

struct group {
    struct connection *publisher;
    int subscribers;
    uint64_t sent, acknowledged, delivered, written_off;
    uint64_t moved_at;            /* of the last progress */
    uint8_t packet[PACKET_BYTES];
    int packet_bytes, id_at, time_at, pending;
    uint16_t next_id;
};

static int port, subscribers = 1000, pairs = 0, qos = 0, window = 20, payload_bytes = 75;
static double seconds = 10, warmup = 2;
static int epoll_fd, counting, group_count, connection_count, ready_count;
static struct group *groups;
static struct connection *all;
static uint64_t deliveries, lost, closed;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void send_all(int fd, const uint8_t *bytes, int count) {
    while (count > 0) {
        ssize_t n = send(fd, bytes, (size_t)count, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) { usleep(100); continue; }
        if (n <= 0) fail("send");
        bytes += n;
        count -= (int)n;
    }
}

static int put_text(uint8_t *at, const char *text) {
    int bytes = (int)strlen(text);
    at[0] = (uint8_t)(bytes >> 8);
    at[1] = (uint8_t)bytes;
    memcpy(at + 2, text, (size_t)bytes);
    return 2 + bytes;
}

static int put_length(uint8_t *at, int length) {
    int used = 0;
    do {
        at[used++] = (uint8_t)(length % 128 | (length >= 128 ? 0x80 : 0));
        length /= 128;
    } while (length > 0);
    return used;
}

static void build_packet(struct group *g, int n) {
    uint8_t body[PACKET_BYTES];
    char topic[32];
    snprintf(topic, sizeof topic, "fan/%d", n);
    int at = put_text(body, topic), id_at = at;
    if (qos) at += 2;
    int time_at = at;
    memset(body + at, 'x', (size_t)payload_bytes);
    at += payload_bytes;
    g->packet[0] = (uint8_t)(0x30 | qos << 1);
    int head = 1 + put_length(g->packet + 1, at);
    memcpy(g->packet + head, body, (size_t)at);
    g->id_at = head + id_at;
    g->time_at = head + time_at;
    g->packet_bytes = head + at;
}

static void watch(struct connection *c, uint32_t events) {
    struct epoll_event e = { .events = events, .data.ptr = c };
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
}

/* Returns 0 when the socket is full. */
static int publish(struct group *g) {
    if (g->pending == 0) {
        uint64_t now = now_us();
        memcpy(g->packet + g->time_at, &now, sizeof now);
        if (qos) {
            g->next_id = g->next_id == 65535 ? 1 : (uint16_t)(g->next_id + 1);
            g->packet[g->id_at] = (uint8_t)(g->next_id >> 8);
            g->packet[g->id_at + 1] = (uint8_t)g->next_id;
        }
        g->sent++;
        g->pending = g->packet_bytes;
    }
    ssize_t n = send(g->publisher->fd, g->packet + g->packet_bytes - g->pending, (size_t)g->pending, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN) fail("send");
    if (n > 0) g->pending -= (int)n;
    if (g->pending > 0) watch(g->publisher, EPOLLIN | EPOLLOUT);
    return g->pending == 0;
}

/* Deliveries still to come; below 0 when what was written off came after all. */
static int64_t under_way(const struct group *g) {
    return (int64_t)(g->sent * (uint64_t)g->subscribers) - (int64_t)(g->delivered + g->written_off);
}

static int has_room(const struct group *g) {
    if (qos && g->sent - g->acknowledged >= (uint64_t)window) return 0;
    return under_way(g) <= (int64_t)(window - 1) * g->subscribers;
}

static void fill(struct group *g) {
    while (g->pending == 0 && has_room(g) && publish(g)) {}
}

static void write_off_stalled(void) {
    uint64_t now = now_us();
    for (int i = 0; i < group_count; i++) {
        struct group *g = &groups[i];
        if (now - g->moved_at < STALL_US || g->pending > 0) continue;
        uint64_t missing = under_way(g) > 0 ? (uint64_t)under_way(g) : 0;
        g->written_off += missing;
        if (counting) lost += missing;
        g->moved_at = now;
        fill(g);
    }
}

/* Takes one packet; acknowledgements for the broker are appended to `acks`. Returns how many bytes were appended. */
static int take_packet(struct connection *c, const uint8_t *packet, const uint8_t *body, uint8_t *acks, uint64_t now) {
    struct group *g = &groups[c->group];
    int type = packet[0] >> 4;
    if (type == 2) {
        if (body[1] != 0) { fprintf(stderr, "CONNACK %d\n", body[1]); exit(1); }
        if (c->is_publisher) { c->ready = 1; ready_count++; return 0; }
        char topic[32];
        snprintf(topic, sizeof topic, "fan/%d", c->group);
        uint8_t subscribe[64] = { 0x82, 0, 0, 1 };
        int end = 4 + put_text(subscribe + 4, topic);
        subscribe[end++] = (uint8_t)qos;
        subscribe[1] = (uint8_t)(end - 2);
        send_all(c->fd, subscribe, end);
    } else if (type == 9) {
        if (body[2] != qos) { fprintf(stderr, "SUBACK %d\n", body[2]); exit(1); }
        c->ready = 1;
        ready_count++;
    } else if (type == 4) {
        g->acknowledged++;
        g->moved_at = now;
    } else if (type == 3) {
        const uint8_t *rest = body + 2 + (body[0] << 8 | body[1]);
        int delivered_qos = packet[0] >> 1 & 3;
        uint64_t sent_at;
        memcpy(&sent_at, rest + (delivered_qos ? 2 : 0), sizeof sent_at);
        g->delivered++;
        g->moved_at = now;
        if (counting) {
            deliveries++;
            histogram[bucket_of(now - sent_at)]++;
        }
        if (!delivered_qos) return 0;
        memcpy(acks, (uint8_t[4]){ 0x40, 2, rest[0], rest[1] }, 4);
        return 4;
    }
    return 0;
}

static void take(struct connection *c) {
    static uint8_t buffer[BUFFER_BYTES + PACKET_BYTES], acks[BUFFER_BYTES];
    memcpy(buffer, c->partial, (size_t)c->partial_bytes);
    ssize_t n = recv(c->fd, buffer + c->partial_bytes, BUFFER_BYTES, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
        closed++;
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
        return;
    }
    int end = c->partial_bytes + (int)n, at = 0, ack_bytes = 0;
    uint64_t now = now_us();
    while (end - at >= 2) {
        int length = 0, head = 1, shift = 0, more = 1;
        while (more && at + head < end) {
            more = buffer[at + head] & 0x80;
            length |= (buffer[at + head++] & 0x7f) << shift;
            shift += 7;
        }
        if (more || end - at < head + length) break;
        ack_bytes += take_packet(c, buffer + at, buffer + at + head, acks + ack_bytes, now);
        at += head + length;
    }
    c->partial_bytes = end - at;
    if (c->partial_bytes > PACKET_BYTES) { fprintf(stderr, "a packet of more than %d bytes\n", PACKET_BYTES); exit(1); }
    memcpy(c->partial, buffer + at, (size_t)c->partial_bytes);
    if (ack_bytes > 0) send_all(c->fd, acks, ack_bytes);
}

static void poll_once(int timeout_ms, int publishing) {
    struct epoll_event events[512];
    int n = epoll_wait(epoll_fd, events, 512, timeout_ms);
    for (int i = 0; i < n; i++) {
        struct connection *c = events[i].data.ptr;
        if (events[i].events & EPOLLOUT && publish(&groups[c->group])) watch(c, EPOLLIN);
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) take(c);
        if (publishing) fill(&groups[c->group]);
    }
}

static struct connection *open_connection(int group, int is_publisher) {
    struct connection *c = &all[connection_count];
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    c->group = group;
    c->is_publisher = is_publisher;
    c->partial = malloc(PACKET_BYTES);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0) fail("connect");
    char id[32];
    snprintf(id, sizeof id, "fan-%d", connection_count);
    uint8_t packet[64] = { 0x10, 0, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0 };
    int end = 12 + put_text(packet + 12, id);
    packet[1] = (uint8_t)(end - 2);
    send_all(c->fd, packet, end);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e);
    if (++connection_count % 64 == 0) poll_once(0, 0);
    return c;
}

static void run(uint64_t until) {
    for (uint64_t checked = now_us(); now_us() < until; ) {
        poll_once(10, 1);
        if (now_us() - checked < 100000) continue;
        checked = now_us();
        write_off_stalled();
    }
}

int main(int argc, char **argv) {
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *key = argv[i], *value = argv[i + 1];
        if (!strcmp(key, "--port")) port = atoi(value);
        else if (!strcmp(key, "--subscribers")) subscribers = atoi(value);
        else if (!strcmp(key, "--pairs")) pairs = atoi(value);
        else if (!strcmp(key, "--qos")) qos = atoi(value);
        else if (!strcmp(key, "--window")) window = atoi(value);
        else if (!strcmp(key, "--payload-bytes")) payload_bytes = atoi(value);
        else if (!strcmp(key, "--seconds")) seconds = atof(value);
        else if (!strcmp(key, "--warmup")) warmup = atof(value);
        else { fprintf(stderr, "unknown option %s\n", key); return 2; }
    }
    if (qos > 1 || payload_bytes < 8 || payload_bytes > PACKET_BYTES - 64) {
        fprintf(stderr, "qos 0 or 1, payload 8 to %d bytes\n", PACKET_BYTES - 64);
        return 2;
    }
    group_count = pairs ? subscribers : 1;
    epoll_fd = epoll_create1(0);
    groups = calloc((size_t)group_count, sizeof *groups);
    all = calloc((size_t)(subscribers + group_count), sizeof *all);
    for (int i = 0; i < group_count; i++) {
        build_packet(&groups[i], i);
        groups[i].subscribers = pairs ? 1 : subscribers;
        groups[i].publisher = open_connection(i, 1);
    }
    for (int i = 0; i < subscribers; i++) open_connection(pairs ? i : 0, 0);
    for (uint64_t deadline = now_us() + 30000000u; ready_count < connection_count; ) {
        poll_once(10, 0);
        if (now_us() > deadline) { fprintf(stderr, "%d of %d connections are ready\n", ready_count, connection_count); return 1; }
    }
    uint64_t began = now_us(), count_from = began + (uint64_t)(warmup * 1e6);
    for (int i = 0; i < group_count; i++) {
        groups[i].moved_at = began;
        fill(&groups[i]);
    }
    run(count_from);
    counting = 1;
    run(count_from + (uint64_t)(seconds * 1e6));
    counting = 0;
    double measured = (double)(now_us() - count_from) / 1e6;
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = (double)used.ru_utime.tv_sec + (double)used.ru_stime.tv_sec + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    printf("{\"deliveries\":%llu,\"seconds\":%.3f,\"perSecond\":%.0f,\"latencyUs\":{\"p50\":%.0f,\"p99\":%.0f,\"p999\":%.0f},\"lost\":%llu,\"closed\":%llu,\"loadCpuSeconds\":%.2f}\n",
           (unsigned long long)deliveries, measured, (double)deliveries / measured, percentile(0.5), percentile(0.99), percentile(0.999),
           (unsigned long long)lost, (unsigned long long)closed, cpu);
    return closed > 0;
}
