/*
 * A load generator for device shadows that is never the bottleneck: one thread, epoll.
 *
 * Connection n is device `prefix{n}`, MQTT 3.1.1. It subscribes at QoS 1 to `$aws/things/{id}/shadow/update/accepted` and
 * `/rejected`, and publishes updates of reported at QoS 1 to `.../update`, at most `window` without their accepted, or paced by --rate. Each accepted is
 * acknowledged. A rejection is an error: all devices keep within what they may ask at once.
 *
 * Prints one JSON object: updates accepted, seconds, rate, latency percentiles (us, PUBLISH written -> accepted read).
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
#include <unistd.h>
#include "latency-histogram.h"
#include "mqtt-bytes.h"

enum { READ_BYTES = 65536, MAX_WINDOW = 16, OPENING = 64 };

struct connection {
    int fd;
    int subacks, subscribed, in_flight;
    uint16_t next_id;
    uint32_t value;
    uint8_t packet[400];
    int packet_bytes, id_at, value_at;
    uint8_t partial[2048];
    int partial_bytes;
    int oldest;                       /* of sent_at: answers come in the order of the requests */
    uint64_t sent_at[MAX_WINDOW];
};

static const char *prefix = "bench-";
static int port = 1883, connections = 1000, window = 4, first_id = 0;
static double seconds = 10, warmup = 2, rate = 0;
static uint64_t sent_total, accepted_total, counted, rejected, errors, closed;
static int subscribed_total, epoll_fd, running, counting;
static struct connection *all;

static void build_packet(struct connection *c, int n) {
    char topic[160], payload[200];
    int topic_bytes = snprintf(topic, sizeof topic, "$aws/things/%s%d/shadow/update", prefix, n);
    int payload_bytes = snprintf(payload, sizeof payload,
        "{\"state\":{\"reported\":{\"temperature\":20.5,\"mode\":\"auto\",\"counter\":1000000000,\"battery\":93}}}");
    int at = 0;
    c->packet[at++] = 0x32;
    at += put_length(c->packet + at, 2 + topic_bytes + 2 + payload_bytes);
    at += put_text(c->packet + at, topic);
    c->id_at = at;
    at += 2;
    memcpy(c->packet + at, payload, (size_t)payload_bytes);
    c->value_at = at + (int)(strstr(payload, "1000000000") - payload);
    c->packet_bytes = at + payload_bytes;
}

static int write_all(int fd, const uint8_t *bytes, int length) {
    while (length > 0) {
        ssize_t n = send(fd, bytes, (size_t)length, MSG_NOSIGNAL);
        if (n > 0) { bytes += n; length -= (int)n; }
        else if (errno != EAGAIN) return 0;
    }
    return 1;
}

static void publish(struct connection *c) {
    uint32_t value = 1000000000u + ++c->value % 1000000000u;
    for (int i = 9; i >= 0; i--, value /= 10) c->packet[c->value_at + i] = (uint8_t)('0' + value % 10);
    c->next_id = c->next_id == 65535 ? 1 : (uint16_t)(c->next_id + 1);
    c->packet[c->id_at] = (uint8_t)(c->next_id >> 8);
    c->packet[c->id_at + 1] = (uint8_t)c->next_id;
    c->sent_at[(c->oldest + c->in_flight++) % MAX_WINDOW] = now_us();
    sent_total++;
    if (!write_all(c->fd, c->packet, c->packet_bytes)) errors++;
}

static void fill(struct connection *c) {
    while (running && rate == 0 && c->subscribed && c->in_flight < window) publish(c);
}

static void answered(struct connection *c, int is_accepted) {
    uint64_t sent_at = c->sent_at[c->oldest];
    c->oldest = (c->oldest + 1) % MAX_WINDOW;
    c->in_flight--;
    if (!is_accepted) { rejected++; errors++; return; }
    accepted_total++;
    if (!counting) return;
    counted++;
    histogram[bucket_of(now_us() - sent_at)]++;
}

static int ends_with(const uint8_t *end, const char *text) {
    size_t bytes = strlen(text);
    return memcmp(end - bytes, text, bytes) == 0;
}

static void handle(struct connection *c, const uint8_t *packet, int head, uint8_t *acks, int *acks_bytes) {
    int type = packet[0] >> 4, qos = packet[0] >> 1 & 3;
    if (type == 2 && packet[3] != 0) { fprintf(stderr, "CONNACK %d\n", packet[3]); errors++; }
    if (type == 9 && ++c->subacks == 2) { c->subscribed = 1; subscribed_total++; }
    if (type != 3) return;
    int topic_bytes = packet[head] << 8 | packet[head + 1];
    const uint8_t *id = packet + head + 2 + topic_bytes;
    if (qos == 1) {
        memcpy(acks + *acks_bytes, (uint8_t[4]){ 0x40, 2, id[0], id[1] }, 4);
        *acks_bytes += 4;
    }
    if (ends_with(id, "/accepted")) answered(c, 1);
    else if (ends_with(id, "/rejected")) answered(c, 0);
}

static void read_all(struct connection *c) {
    static uint8_t buffer[READ_BYTES + 2048], acks[READ_BYTES];
    memcpy(buffer, c->partial, (size_t)c->partial_bytes);
    ssize_t n = recv(c->fd, buffer + c->partial_bytes, READ_BYTES, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        closed++;
        c->subscribed = 0;
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
        return;
    }
    if (n < 0) return;
    int end = c->partial_bytes + (int)n, at = 0, head, length, acks_bytes = 0;
    while (end - at >= 2 && find_body(buffer + at, end - at, &head, &length)) {
        handle(c, buffer + at, head, acks, &acks_bytes);
        at += head + length;
    }
    c->partial_bytes = end - at;
    if (c->partial_bytes > (int)sizeof c->partial) { errors++; c->partial_bytes = 0; }
    memcpy(c->partial, buffer + at, (size_t)c->partial_bytes);
    if (acks_bytes > 0 && !write_all(c->fd, acks, acks_bytes)) errors++;
}

static void open_connection(struct connection *c, int n) {
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0) { perror("connect"); exit(1); }
    char id[64], filter[160];
    uint8_t packet[512];
    snprintf(id, sizeof id, "%s%d", prefix, n);
    int bytes = put_connect(packet, id, 1);
    for (int i = 0; i < 2; i++) {
        snprintf(filter, sizeof filter, "$aws/things/%s/shadow/update/%s", id, i ? "rejected" : "accepted");
        bytes += put_subscribe(packet + bytes, filter, 1);
    }
    if (!write_all(c->fd, packet, bytes)) errors++;
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
        read_all(c);
        fill(c);
    }
}

static void run(uint64_t until, uint64_t began, uint64_t *paced) {
    static int turn;
    while (now_us() < until) {
        uint64_t due = rate > 0 ? (uint64_t)((double)(now_us() - began) * rate / 1e6) : 0;
        int tried = 0;
        while (*paced < due && tried < connections) {
            struct connection *c = &all[turn];
            turn = (turn + 1) % connections;
            if (c->subscribed && c->in_flight < window) { publish(c); (*paced)++; tried = 0; } else tried++;
        }
        poll_once(*paced < due ? 0 : 1);
    }
}

int main(int argc, char **argv) {
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *key = argv[i], *value = argv[i + 1];
        if (!strcmp(key, "--port")) port = atoi(value);
        else if (!strcmp(key, "--connections")) connections = atoi(value);
        else if (!strcmp(key, "--window")) window = atoi(value);
        else if (!strcmp(key, "--seconds")) seconds = atof(value);
        else if (!strcmp(key, "--warmup")) warmup = atof(value);
        else if (!strcmp(key, "--rate")) rate = atof(value);
        else if (!strcmp(key, "--prefix")) prefix = value;
        else if (!strcmp(key, "--first-id")) first_id = atoi(value);
        else { fprintf(stderr, "unknown option %s\n", key); return 1; }
    }
    if (window >= MAX_WINDOW) window = MAX_WINDOW - 1;
    all = calloc((size_t)connections, sizeof *all);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    uint64_t started = now_us();
    for (int i = 0; i < connections; i++) {
        open_connection(&all[i], first_id + i);
        while (i + 1 - subscribed_total >= OPENING && now_us() - started < 60000000u) poll_once(10);
    }
    while (subscribed_total < connections && now_us() - started < 60000000u) poll_once(10);
    if (subscribed_total < connections) { fprintf(stderr, "only %d connections subscribed\n", subscribed_total); return 1; }
    uint64_t began = now_us(), paced = 0;
    running = 1;
    for (int i = 0; i < connections; i++) fill(&all[i]);
    uint64_t count_from = began + (uint64_t)(warmup * 1e6);
    run(count_from, began, &paced);
    double cpu_before = cpu_seconds();
    counting = 1;
    run(count_from + (uint64_t)(seconds * 1e6), began, &paced);
    counting = running = 0;
    double measured = (double)(now_us() - count_from) / 1e6;
    double busy = (cpu_seconds() - cpu_before) / measured;
    for (uint64_t drain = now_us() + 10000000u; now_us() < drain && accepted_total + rejected < sent_total; ) poll_once(10);
    printf("{\"sent\":%llu,\"accepted\":%llu,\"counted\":%llu,\"seconds\":%.3f,\"perSecond\":%.0f,\"latencyUs\":{\"p50\":%.0f,\"p99\":%.0f,\"p999\":%.0f},"
           "\"rejected\":%llu,\"errors\":%llu,\"closed\":%llu,\"loadBusy\":%.2f}\n",
           (unsigned long long)sent_total, (unsigned long long)accepted_total, (unsigned long long)counted, measured, (double)counted / measured,
           percentile(0.5), percentile(0.99), percentile(0.999), (unsigned long long)rejected, (unsigned long long)errors, (unsigned long long)closed, busy);
    return errors > 0;
}
