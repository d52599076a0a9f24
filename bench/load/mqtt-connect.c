/*
 * Connections to an MQTT broker, over TCP or TLS: one thread, epoll, 3.1.1. Each one connects, waits for its CONNACK, and then
 * - by default says DISCONNECT, waits until the broker has closed, and makes room for the next, `concurrency` at a time;
 * - with `--subscribe PREFIX` first subscribes PREFIX and the six digits of its number, QoS 1;
 * - with `--expect N` first takes (and acknowledges) N messages of its session, or as many as come in a second;
 * - with `--hold S` stays, silent; when all are open that is printed, and S seconds later the program ends.
 *
 * `--count N` ends after N connections; otherwise `--seconds` after `--warmup`. Client ids go round in `--clients`,
 * `--stride` apart.
 * `--tls 12` and `--tls 13` set the version, `--resume 1` offers the session of the connection before it.
 *
 * The sockets are bound to addresses of 127.0.0.0/8 in turn, or their ports would run out. A server's certificate is not
 * checked (its signature in the handshake is): this is to cost the server more than the client. Prints one JSON object.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "latency-histogram.h"
#include "mqtt-bytes.h"

enum { BUFFER_BYTES = 65536, EXPECT_US = 1000000, ADDRESSES = 200 };
enum state { CLOSED, CONNECTING, HANDSHAKE, CONNACK, SUBACK, MESSAGES, LEAVING, HELD };

struct slot {
    int fd, events;
    enum state state;
    uint64_t began_us;
    int number, received;
    SSL *tls;
    SSL_SESSION *session;         /* for the next connection of this slot */
    uint8_t *partial;             /* head of a packet that was cut by a read, with --expect */
    int partial_bytes;
};

static int port, tls = 0, resume = 0, concurrency = 64, count = 0, clients = 5000, first_id = 0, clean = 1, expect = 0, hold = 0, stride = 1;
static const char *certificate, *key_file, *client_prefix = "bench-", *filter_prefix;
static double seconds = 5, warmup = 1;
static int epoll_fd, started, finished, opening, counting, slot_count;
static uint64_t counted, errors, refused, resumed, sessions_present, messages;
static struct slot *slots;
static SSL_CTX *context;

static void fail(const char *what) {
    perror(what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static int keep_session(SSL *ssl, SSL_SESSION *session) {
    struct slot *s = SSL_get_app_data(ssl);
    if (s->session) SSL_SESSION_free(s->session);
    s->session = session;
    return 1;
}

static int trust_any(X509_STORE_CTX *chain, void *unused) {
    (void)chain, (void)unused;
    return 1;
}

static void prepare_tls(void) {
    int version = tls == 12 ? TLS1_2_VERSION : TLS1_3_VERSION;
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context, version);
    SSL_CTX_set_max_proto_version(context, version);
    SSL_CTX_set_cert_verify_callback(context, trust_any, NULL);
    SSL_CTX_set_quiet_shutdown(context, 1);
    if (hold) SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, resume ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF);
    if (resume) SSL_CTX_sess_set_new_cb(context, keep_session);
    if (!certificate) return;
    if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1) fail(certificate);
    if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1) fail(key_file);
}

static void watch(struct slot *s, int events) {
    if (s->events == events) return;
    struct epoll_event e = { .events = (uint32_t)events, .data.ptr = s };
    epoll_ctl(epoll_fd, s->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, s->fd, &e);
    s->events = events;
}

static void open_slot(struct slot *s) {
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(started % ADDRESSES)) };
    int one = 1;
    s->began_us = now_us();
    s->number = first_id + started++ % clients * stride;
    s->received = s->partial_bytes = s->events = 0;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0) fail("socket");
    setsockopt(s->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(s->fd, (struct sockaddr *)&from, sizeof from) != 0) fail("bind");
    if (connect(s->fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS) fail("connect");
    s->state = CONNECTING;
    opening++;
    watch(s, EPOLLOUT);
}

static void close_slot(struct slot *s) {
    if (s->tls) {
        SSL_shutdown(s->tls);
        SSL_free(s->tls);
        s->tls = NULL;
    }
    close(s->fd);
    if (s->state < LEAVING) opening--;
    s->state = CLOSED;
    finished++;
}

static void put(struct slot *s, const uint8_t *bytes, int size) {
    int n = s->tls ? SSL_write(s->tls, bytes, size) : (int)send(s->fd, bytes, (size_t)size, MSG_NOSIGNAL);
    if (n != size) errors++;
}

/* The connection is what it was to become. */
static void done(struct slot *s) {
    opening--;
    if (counting) {
        counted++;
        histogram[bucket_of(now_us() - s->began_us)]++;
    }
    s->state = hold ? HELD : LEAVING;
    if (hold) finished++;
    else put(s, (uint8_t[2]){ 0xe0, 0 }, 2);
}

static void say_connect(struct slot *s) {
    char id[64];
    uint8_t packet[128];
    snprintf(id, sizeof id, "%s%d", client_prefix, s->number);
    if (s->tls && SSL_session_reused(s->tls) && counting) resumed++;
    s->state = CONNACK;
    watch(s, EPOLLIN);
    put(s, packet, put_connect(packet, id, clean));
}

static void take_message(struct slot *s, const uint8_t *packet, const uint8_t *body) {
    int qos = packet[0] >> 1 & 3;
    body += 2 + (body[0] << 8 | body[1]);
    messages++;
    s->received++;
    if (qos) put(s, (uint8_t[4]){ qos == 1 ? 0x40 : 0x50, 2, body[0], body[1] }, 4);
    if (s->state == MESSAGES && s->received >= expect) done(s);
}

static void take_packet(struct slot *s, const uint8_t *packet, const uint8_t *body) {
    int type = packet[0] >> 4;
    if (type == 3) take_message(s, packet, body);
    else if (type == 6) put(s, (uint8_t[4]){ 0x70, 2, body[0], body[1] }, 4);
    else if (type == 2 && body[1] != 0) { refused++; close_slot(s); }
    else if (type == 2) {
        sessions_present += body[0] & 1;
        if (filter_prefix) {
            char filter[64];
            uint8_t packet_out[128];
            snprintf(filter, sizeof filter, "%s%06d", filter_prefix, s->number);
            put(s, packet_out, put_subscribe(packet_out, filter, 1));
            s->state = SUBACK;
        } else if (expect) s->state = MESSAGES;
        else done(s);
    } else if (type == 9) {
        if (body[2] > 2) refused++;
        done(s);
    }
}

static void read_some(struct slot *s) {
    static uint8_t buffer[2 * BUFFER_BYTES];
    for (;;) {
        if (s->partial_bytes > 0) memcpy(buffer, s->partial, (size_t)s->partial_bytes);
        int n = s->tls ? SSL_read(s->tls, buffer + s->partial_bytes, BUFFER_BYTES) : (int)recv(s->fd, buffer + s->partial_bytes, BUFFER_BYTES, 0);
        if (n <= 0) {
            if (s->tls ? SSL_get_error(s->tls, n) == SSL_ERROR_WANT_READ : n < 0 && errno == EAGAIN) return;
            ERR_clear_error();
            if (s->state != LEAVING) errors++;
            close_slot(s);
            return;
        }
        int end = s->partial_bytes + n, at = 0, head, length;
        while (s->state != CLOSED && find_body(buffer + at, end - at, &head, &length)) {
            take_packet(s, buffer + at, buffer + at + head);
            at += head + length;
        }
        if (s->state == CLOSED) return;
        s->partial_bytes = end - at;
        if (s->partial_bytes > 0) {
            if (!s->partial) s->partial = malloc(BUFFER_BYTES);
            memcpy(s->partial, buffer + at, (size_t)s->partial_bytes);
        }
        if (!s->tls && n < BUFFER_BYTES) return;
    }
}

static void shake_hands(struct slot *s) {
    int result = SSL_do_handshake(s->tls);
    if (result == 1) { say_connect(s); return; }
    int why = SSL_get_error(s->tls, result);
    if (why == SSL_ERROR_WANT_READ) watch(s, EPOLLIN);
    else if (why == SSL_ERROR_WANT_WRITE) watch(s, EPOLLOUT);
    else {
        if (errors++ == 0) ERR_print_errors_fp(stderr);
        ERR_clear_error();
        close_slot(s);
    }
}

static void connected(struct slot *s) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) { errors++; close_slot(s); return; }
    if (!tls) { say_connect(s); return; }
    s->tls = SSL_new(context);
    SSL_set_app_data(s->tls, s);
    SSL_set_fd(s->tls, s->fd);
    SSL_set_connect_state(s->tls);
    if (s->session) {
        /* A copy: OpenSSL marks the one that was used, and not every broker gives a new ticket to a resumed connection. */
        SSL_SESSION *copy = SSL_SESSION_dup(s->session);
        SSL_set_session(s->tls, copy);
        SSL_SESSION_free(copy);
    }
    s->state = HANDSHAKE;
    shake_hands(s);
}

static void poll_once(void) {
    struct epoll_event events[512];
    int n = epoll_wait(epoll_fd, events, 512, 10);
    for (int i = 0; i < n; i++) {
        struct slot *s = events[i].data.ptr;
        if (s->state == CONNECTING) connected(s);
        else if (s->state == HANDSHAKE) shake_hands(s);
        else if (s->state != CLOSED) read_some(s);
    }
}

static int may_start(void) {
    return opening < concurrency && (count == 0 || started < count);
}

static void run(uint64_t until) {
    while (now_us() < until && (count == 0 || finished < count)) {
        for (int i = 0; !hold && i < slot_count && may_start(); i++) if (slots[i].state == CLOSED) open_slot(&slots[i]);
        while (hold && may_start()) open_slot(&slots[started]);
        poll_once();
        for (int i = 0; expect && i < slot_count; i++) {
            if (slots[i].state == MESSAGES && now_us() - slots[i].began_us > EXPECT_US) done(&slots[i]);
        }
    }
}

static void read_options(int argc, char **argv) {
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *key = argv[i], *value = argv[i + 1];
        if (!strcmp(key, "--port")) port = atoi(value);
        else if (!strcmp(key, "--tls")) tls = atoi(value);
        else if (!strcmp(key, "--resume")) resume = atoi(value);
        else if (!strcmp(key, "--certificate")) certificate = value;
        else if (!strcmp(key, "--key")) key_file = value;
        else if (!strcmp(key, "--concurrency")) concurrency = atoi(value);
        else if (!strcmp(key, "--count")) count = atoi(value);
        else if (!strcmp(key, "--clients")) clients = atoi(value);
        else if (!strcmp(key, "--first-id")) first_id = atoi(value);
        else if (!strcmp(key, "--stride")) stride = atoi(value);
        else if (!strcmp(key, "--client-prefix")) client_prefix = value;
        else if (!strcmp(key, "--clean")) clean = atoi(value);
        else if (!strcmp(key, "--subscribe")) filter_prefix = value;
        else if (!strcmp(key, "--expect")) expect = atoi(value);
        else if (!strcmp(key, "--hold")) hold = atoi(value);
        else if (!strcmp(key, "--seconds")) seconds = atof(value);
        else if (!strcmp(key, "--warmup")) warmup = atof(value);
        else { fprintf(stderr, "unknown option %s\n", key); exit(2); }
    }
    if (hold && count == 0) { fprintf(stderr, "--hold needs --count\n"); exit(2); }
}

int main(int argc, char **argv) {
    read_options(argc, argv);
    struct rlimit files = { 20000, 20000 };
    setrlimit(RLIMIT_NOFILE, &files);
    if (tls) prepare_tls();
    epoll_fd = epoll_create1(0);
    slot_count = hold ? count : concurrency;
    slots = calloc((size_t)slot_count, sizeof *slots);
    if (count) warmup = 0;
    run(now_us() + (uint64_t)(warmup * 1e6));
    counting = 1;
    double cpu_before = cpu_seconds();
    uint64_t count_from = now_us();
    run(count_from + (uint64_t)((count ? 300 : seconds) * 1e6));
    double measured = (double)(now_us() - count_from) / 1e6, busy = (cpu_seconds() - cpu_before) / measured;
    printf("{\"connections\":%llu,\"all\":%d,\"seconds\":%.3f,\"perSecond\":%.0f,\"latencyUs\":{\"p50\":%.0f,\"p99\":%.0f,\"p999\":%.0f},"
           "\"errors\":%llu,\"refused\":%llu,\"resumed\":%llu,\"sessionsPresent\":%llu,\"messages\":%llu,\"loadBusy\":%.2f}\n",
           (unsigned long long)counted, finished, measured, (double)counted / measured, percentile(0.5), percentile(0.99), percentile(0.999),
           (unsigned long long)errors, (unsigned long long)refused, (unsigned long long)resumed, (unsigned long long)sessions_present,
           (unsigned long long)messages, busy);
    fflush(stdout);
    if (hold) sleep((unsigned)hold);
    return errors + refused > 0;
}
