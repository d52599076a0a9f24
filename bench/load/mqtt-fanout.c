/*
 * Measures deliveries of an MQTT broker: one thread, epoll, 3.1.1.
 * `--shape fan-out`: one publisher, N subscribers of its topic. `--shape fan-in`: N publishers, one subscriber of all their
 * topics. `--shape pairs`: N publishers, each with one subscriber of its own topic. `--persistent 1`: subscribers without
 * clean session.
 *
 * A closed loop: a publisher has at most `window` messages under way, that is published and not yet delivered to all its
 * subscribers (and, with QoS 1 and 2, acknowledged by the broker). Or, with `--rate`, an open one: messages of all
 * publishers together a second, whose latency counts from when they were due, not from when they could be written.
 *
 * The payload begins with the time of the send, the publisher and a sequence number, and is padded: each delivery gives a
 * latency, and what is lost, twice or out of order is seen. A publisher that gets on no further for a second counts what is
 * missing as lost and goes on. At the end everything that is under way is waited for.
 *
 * Subscribers acknowledge all packets of one read with one write. Prints one JSON object.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "latency-histogram.h"
#include "mqtt-bytes.h"

/* OPENING: connections that wait for their CONNACK; more than a listen backlog would cost a SYN's retry each. */
enum { BUFFER_BYTES = 65536, PACKET_BYTES = 512, STALL_US = 1000000, RING = 4096, OPENING = 64 };
enum shape { FAN_OUT, FAN_IN, PAIRS };

struct connection {
    int fd, ready, is_publisher;
    int group;                    /* its own messages, or those it subscribes to */
    uint32_t expected;            /* sequence number of the next message */
    uint8_t *partial;             /* head of a packet that was cut by a read */
    int partial_bytes;
    uint8_t *out;                 /* what the socket did not take yet */
    int out_bytes, out_room;
};

/* A publisher and its subscribers. */
struct group {
    struct connection *publisher;
    uint32_t expected;            /* as of a connection, with fan-in */
    uint64_t sent, acknowledged, delivered, written_off;
    uint64_t moved_at;            /* of the last progress */
    uint8_t packet[PACKET_BYTES];
    int packet_bytes, id_at, payload_at;
    uint16_t next_id;
    uint64_t *due_at;             /* by packet id */
};

struct stamp {
    uint64_t time_us;
    uint32_t publisher, sequence;
};

static int port, count = 1000, qos = 0, window = 20, payload_bytes = 75, persistent = 0, no_delay = 1;
static enum shape shape = FAN_OUT;
static double seconds = 10, warmup = 2, rate = 0;
static int epoll_fd, publishing, counting, group_count, subscribers_each, connection_count, ready_count;
static struct group *groups;
static struct connection *all;
static uint64_t deliveries, acknowledgements, repeated, closed;
static uint64_t ack_histogram[BUCKETS];

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void watch(struct connection *c, uint32_t events) {
    struct epoll_event e = { .events = events, .data.ptr = c };
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
}

static int write_some(int fd, const uint8_t *bytes, int size) {
    ssize_t n = send(fd, bytes, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN) fail("send");
    return n < 0 ? 0 : (int)n;
}

/* What the socket does not take waits for it: this program must never stop reading because it cannot write. */
static void put(struct connection *c, const uint8_t *bytes, int size) {
    int written = c->out_bytes == 0 ? write_some(c->fd, bytes, size) : 0;
    int rest = size - written;
    if (rest == 0) return;
    if (c->out_bytes + rest > c->out_room) c->out = realloc(c->out, (size_t)(c->out_room = 2 * (c->out_bytes + rest)));
    if (c->out_bytes == 0) watch(c, EPOLLIN | EPOLLOUT);
    memcpy(c->out + c->out_bytes, bytes + written, (size_t)rest);
    c->out_bytes += rest;
}

static void put_waiting(struct connection *c) {
    int written = write_some(c->fd, c->out, c->out_bytes);
    c->out_bytes -= written;
    memmove(c->out, c->out + written, (size_t)c->out_bytes);
    if (c->out_bytes == 0) watch(c, EPOLLIN);
}

static void build_packet(struct group *g, int n) {
    uint8_t body[PACKET_BYTES];
    char topic[32];
    snprintf(topic, sizeof topic, "fan/%d", n);
    int at = put_text(body, topic), id_at = at;
    if (qos) at += 2;
    int payload_at = at;
    memset(body + at, 'x', (size_t)payload_bytes);
    at += payload_bytes;
    g->packet[0] = (uint8_t)(0x30 | qos << 1);
    int head = 1 + put_length(g->packet + 1, at);
    memcpy(g->packet + head, body, (size_t)at);
    g->id_at = head + id_at;
    g->payload_at = head + payload_at;
    g->packet_bytes = head + at;
    if (qos) g->due_at = calloc(RING, sizeof *g->due_at);
}

static void publish(struct group *g, uint64_t due_us) {
    struct stamp stamp = { due_us, (uint32_t)(g - groups), (uint32_t)g->sent++ };
    memcpy(g->packet + g->payload_at, &stamp, sizeof stamp);
    if (qos) {
        g->next_id = g->next_id == 65535 ? 1 : (uint16_t)(g->next_id + 1);
        g->packet[g->id_at] = (uint8_t)(g->next_id >> 8);
        g->packet[g->id_at + 1] = (uint8_t)g->next_id;
        g->due_at[g->next_id % RING] = due_us;
    }
    put(g->publisher, g->packet, g->packet_bytes);
}

/* Deliveries still to come; below 0 when what was written off came after all. */
static int64_t under_way(const struct group *g) {
    return (int64_t)(g->sent * (uint64_t)subscribers_each) - (int64_t)(g->delivered + g->written_off);
}

static int has_room(const struct group *g, int size) {
    if (g->publisher->out_bytes > 0 || (qos && g->sent - g->acknowledged >= (uint64_t)size)) return 0;
    return rate > 0 || under_way(g) <= (int64_t)(size - 1) * subscribers_each;
}

static void fill(struct group *g) {
    while (publishing && rate == 0 && has_room(g, window)) publish(g, now_us());
}

static void write_off_stalled(void) {
    uint64_t now = now_us();
    for (int i = 0; i < group_count; i++) {
        struct group *g = &groups[i];
        if (now - g->moved_at < STALL_US || g->publisher->out_bytes > 0) continue;
        if (under_way(g) > 0) g->written_off += (uint64_t)under_way(g);
        g->moved_at = now;
        fill(g);
    }
}

static void take_delivery(struct connection *c, const uint8_t *payload, uint64_t now) {
    struct stamp stamp;
    memcpy(&stamp, payload, sizeof stamp);
    struct group *g = &groups[stamp.publisher];
    uint32_t *expected = shape == FAN_IN ? &g->expected : &c->expected;
    if (stamp.sequence < *expected) { repeated++; return; }
    *expected = stamp.sequence + 1;
    g->delivered++;
    g->moved_at = now;
    if (counting) {
        deliveries++;
        histogram[bucket_of(now - stamp.time_us)]++;
    }
    fill(g);
}

static void take_acknowledgement(struct group *g, const uint8_t *body, uint64_t now) {
    g->acknowledged++;
    g->moved_at = now;
    if (counting) {
        acknowledgements++;
        ack_histogram[bucket_of(now - g->due_at[(body[0] << 8 | body[1]) % RING])]++;
    }
    fill(g);
}

static void take_connack(struct connection *c, const uint8_t *body) {
    if (body[1] != 0) { fprintf(stderr, "CONNACK %d\n", body[1]); exit(1); }
    if (c->is_publisher) { c->ready = 1; ready_count++; return; }
    char filter[32] = "fan/+";
    if (shape != FAN_IN) snprintf(filter, sizeof filter, "fan/%d", c->group);
    uint8_t subscribe[64];
    put(c, subscribe, put_subscribe(subscribe, filter, qos));
}

/* Takes one packet; the answer to the broker goes to `answer`. Returns how many bytes that is. */
static int take_packet(struct connection *c, const uint8_t *packet, const uint8_t *body, uint8_t *answer, uint64_t now) {
    static const uint8_t answers[16] = { [5] = 0x62, [6] = 0x70 };
    int type = packet[0] >> 4, answer_type = answers[type];
    if (type == 2) take_connack(c, body);
    else if (type == 9) {
        if (body[2] != qos) { fprintf(stderr, "SUBACK %d\n", body[2]); exit(1); }
        c->ready = 1;
        ready_count++;
    } else if (type == 4 || type == 7) take_acknowledgement(&groups[c->group], body, now);
    else if (type == 3) {
        int delivered_qos = packet[0] >> 1 & 3;
        body += 2 + (body[0] << 8 | body[1]);
        take_delivery(c, body + (delivered_qos ? 2 : 0), now);
        answer_type = delivered_qos == 0 ? 0 : delivered_qos == 1 ? 0x40 : 0x50;
    }
    if (!answer_type) return 0;
    memcpy(answer, (uint8_t[4]){ (uint8_t)answer_type, 2, body[0], body[1] }, 4);
    return 4;
}

static void take(struct connection *c) {
    static uint8_t buffer[BUFFER_BYTES + PACKET_BYTES], answers[BUFFER_BYTES + PACKET_BYTES];
    memcpy(buffer, c->partial, (size_t)c->partial_bytes);
    ssize_t n = recv(c->fd, buffer + c->partial_bytes, BUFFER_BYTES, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
        closed++;
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
        return;
    }
    int end = c->partial_bytes + (int)n, at = 0, answer_bytes = 0, head, length;
    uint64_t now = now_us();
    while (find_body(buffer + at, end - at, &head, &length)) {
        answer_bytes += take_packet(c, buffer + at, buffer + at + head, answers + answer_bytes, now);
        at += head + length;
    }
    c->partial_bytes = end - at;
    if (c->partial_bytes > PACKET_BYTES) { fprintf(stderr, "a packet of more than %d bytes\n", PACKET_BYTES); exit(1); }
    memcpy(c->partial, buffer + at, (size_t)c->partial_bytes);
    if (answer_bytes > 0) put(c, answers, answer_bytes);
}

static void poll_once(int timeout_ms) {
    struct epoll_event events[512];
    int n = epoll_wait(epoll_fd, events, 512, timeout_ms);
    for (int i = 0; i < n; i++) {
        struct connection *c = events[i].data.ptr;
        if (events[i].events & EPOLLOUT) {
            put_waiting(c);
            if (c->is_publisher) fill(&groups[c->group]);
        }
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) take(c);
    }
}

static struct connection *open_connection(int group, int is_publisher) {
    struct connection *c = &all[connection_count];
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    c->group = group;
    c->is_publisher = is_publisher;
    c->partial = malloc(PACKET_BYTES);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0) fail("connect");
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e);
    char id[32];
    snprintf(id, sizeof id, "fan-%s%d", persistent && !is_publisher ? "kept-" : "", connection_count);
    uint8_t packet[64];
    put(c, packet, put_connect(packet, id, !persistent || is_publisher));
    connection_count++;
    while (connection_count - ready_count >= OPENING) poll_once(10);
    return c;
}

/* Publishes what is due, each publisher in turn; one that cannot take a message is passed over. */
static void publish_due(uint64_t began, uint64_t *paced) {
    static int turn;
    uint64_t due = (uint64_t)((double)(now_us() - began) * rate / 1e6);
    for (int tried = 0; *paced < due && tried < group_count; turn = (turn + 1) % group_count) {
        if (!has_room(&groups[turn], RING)) { tried++; continue; }
        publish(&groups[turn], began + (uint64_t)((double)++*paced * 1e6 / rate));
        tried = 0;
    }
}

static void run(uint64_t until, uint64_t began, uint64_t *paced) {
    for (uint64_t checked = now_us(); now_us() < until; ) {
        if (rate > 0) publish_due(began, paced);
        poll_once(rate > 0 ? 1 : 10);
        if (now_us() - checked < 100000) continue;
        checked = now_us();
        write_off_stalled();
    }
}

/* Waits for all that is under way, as long as there is progress. Returns how much is missing. */
static uint64_t drain(void) {
    uint64_t missing = 1, before = 0;
    publishing = 0;
    rate = 0;
    for (uint64_t moved_at = now_us(); missing > 0 && now_us() - moved_at < 3 * STALL_US; ) {
        poll_once(10);
        uint64_t unacknowledged = 0;
        missing = 0;
        for (int i = 0; i < group_count; i++) {
            missing += groups[i].sent * (uint64_t)subscribers_each - groups[i].delivered;
            if (qos) unacknowledged += groups[i].sent - groups[i].acknowledged;
        }
        missing += unacknowledged;
        if (missing != before) moved_at = now_us();
        before = missing;
    }
    return missing;
}

static void open_all(void) {
    group_count = shape == FAN_OUT ? 1 : count;
    subscribers_each = shape == FAN_OUT ? count : 1;
    int subscribers = shape == FAN_IN ? 1 : count;
    epoll_fd = epoll_create1(0);
    groups = calloc((size_t)group_count, sizeof *groups);
    all = calloc((size_t)(subscribers + group_count), sizeof *all);
    for (int i = 0; i < group_count; i++) {
        build_packet(&groups[i], i);
        groups[i].publisher = open_connection(i, 1);
    }
    for (int i = 0; i < subscribers; i++) open_connection(shape == PAIRS ? i : 0, 0);
    for (uint64_t deadline = now_us() + 30000000u; ready_count < connection_count; ) {
        poll_once(10);
        if (now_us() > deadline) { fprintf(stderr, "%d of %d connections are ready\n", ready_count, connection_count); exit(1); }
    }
}

static void read_options(int argc, char **argv) {
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *key = argv[i], *value = argv[i + 1];
        if (!strcmp(key, "--port")) port = atoi(value);
        else if (!strcmp(key, "--count")) count = atoi(value);
        else if (!strcmp(key, "--shape")) shape = !strcmp(value, "pairs") ? PAIRS : !strcmp(value, "fan-in") ? FAN_IN : FAN_OUT;
        else if (!strcmp(key, "--qos")) qos = atoi(value);
        else if (!strcmp(key, "--persistent")) persistent = atoi(value);
        else if (!strcmp(key, "--no-delay")) no_delay = atoi(value);
        else if (!strcmp(key, "--window")) window = atoi(value);
        else if (!strcmp(key, "--rate")) rate = atof(value);
        else if (!strcmp(key, "--payload-bytes")) payload_bytes = atoi(value);
        else if (!strcmp(key, "--seconds")) seconds = atof(value);
        else if (!strcmp(key, "--warmup")) warmup = atof(value);
        else { fprintf(stderr, "unknown option %s\n", key); exit(2); }
    }
    if (payload_bytes < (int)sizeof(struct stamp) || payload_bytes > PACKET_BYTES - 64 || window > RING) {
        fprintf(stderr, "payload %d to %d bytes, window up to %d\n", (int)sizeof(struct stamp), PACKET_BYTES - 64, RING);
        exit(2);
    }
}

int main(int argc, char **argv) {
    read_options(argc, argv);
    open_all();
    uint64_t began = now_us(), count_from = began + (uint64_t)(warmup * 1e6), paced = 0;
    double paced_rate = rate;
    publishing = 1;
    for (int i = 0; i < group_count; i++) {
        groups[i].moved_at = began;
        fill(&groups[i]);
    }
    run(count_from, began, &paced);
    double cpu_before = cpu_seconds();
    counting = 1;
    run(count_from + (uint64_t)(seconds * 1e6), began, &paced);
    counting = 0;
    double measured = (double)(now_us() - count_from) / 1e6;
    double busy = (cpu_seconds() - cpu_before) / measured;
    uint64_t late = paced_rate > 0 ? (uint64_t)((double)(now_us() - began) * paced_rate / 1e6) - paced : 0, missing = drain(), sent = 0;
    for (int i = 0; i < group_count; i++) sent += groups[i].sent;
    printf("{\"sent\":%llu,\"deliveries\":%llu,\"seconds\":%.3f,\"perSecond\":%.0f,\"acknowledgedPerSecond\":%.0f,"
           "\"latencyUs\":{\"p50\":%.0f,\"p99\":%.0f,\"p999\":%.0f},\"ackLatencyUs\":{\"p50\":%.0f,\"p99\":%.0f,\"p999\":%.0f},"
           "\"lost\":%llu,\"repeated\":%llu,\"notSent\":%llu,\"closed\":%llu,\"loadBusy\":%.2f}\n",
           (unsigned long long)sent, (unsigned long long)deliveries, measured, (double)deliveries / measured, (double)acknowledgements / measured,
           percentile(0.5), percentile(0.99), percentile(0.999),
           percentile_in(ack_histogram, 0.5), percentile_in(ack_histogram, 0.99), percentile_in(ack_histogram, 0.999),
           (unsigned long long)missing, (unsigned long long)repeated, (unsigned long long)late, (unsigned long long)closed, busy);
    return closed > 0;
}
