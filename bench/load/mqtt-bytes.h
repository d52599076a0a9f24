/* Shared by the load generators: the bytes of MQTT 3.1.1. */
#include <stdint.h>
#include <string.h>

static inline int put_text(uint8_t *at, const char *text) {
    int bytes = (int)strlen(text);
    at[0] = (uint8_t)(bytes >> 8);
    at[1] = (uint8_t)bytes;
    memcpy(at + 2, text, (size_t)bytes);
    return 2 + bytes;
}

static inline int put_length(uint8_t *at, int length) {
    int used = 0;
    do {
        at[used++] = (uint8_t)(length % 128 | (length >= 128 ? 0x80 : 0));
        length /= 128;
    } while (length > 0);
    return used;
}

/* CONNECT without keep-alive. Ids of up to 100 bytes. Returns the size. */
static inline int put_connect(uint8_t *at, const char *client_id, int clean_session) {
    memcpy(at, (uint8_t[12]){ 0x10, 0, 0, 4, 'M', 'Q', 'T', 'T', 4, (uint8_t)(clean_session ? 2 : 0), 0, 0 }, 12);
    int end = 12 + put_text(at + 12, client_id);
    at[1] = (uint8_t)(end - 2);
    return end;
}

/* SUBSCRIBE with packet id 1. Filters of up to 100 bytes. Returns the size. */
static inline int put_subscribe(uint8_t *at, const char *filter, int qos) {
    memcpy(at, (uint8_t[4]){ 0x82, 0, 0, 1 }, 4);
    int end = 4 + put_text(at + 4, filter);
    at[end++] = (uint8_t)qos;
    at[1] = (uint8_t)(end - 2);
    return end;
}

/* Where the body of the packet begins and how long it is. Returns 0 while not all of it is there. */
static inline int find_body(const uint8_t *packet, int bytes, int *head, int *length) {
    *head = 1;
    *length = 0;
    for (int shift = 0, more = 1; more; shift += 7) {
        if (*head >= bytes) return 0;
        more = packet[*head] & 0x80;
        *length |= (packet[(*head)++] & 0x7f) << shift;
    }
    return bytes >= *head + *length;
}
