/**
 * A change of what is stored, as bytes. What frames it (a record of the log) knows its length and has a checksum.
 *
 *   ┌──────┬──────────
 *   │ kind │ fields …
 *   │ u8   │
 *   └──────┴──────────
 *   Bit 7 of the kind: the change is part of a snapshot. Kinds from 0x70 on belong to the driver that frames changes.
 *
 *    1 session           number varint · flags u8 · expiry f64 · [offline since f64] · [will delay f64 · will block]
 *                        · client id text · namespace text · principal text
 *                        flags: 1 fresh · 2 version 5.0 (else 3.1.1) · 4 offline · 8 has a will
 *    2 session-removed   session varint
 *    3 subscribed        session varint · options u8 · identifier varint · filter text
 *                        options: 3 QoS · 4 no local · 8 retain as published
 *    4 unsubscribed      session varint · filter text
 *    5 message           number varint · expires at f64 · packet block · holders
 *    6 held              message varint · holders
 *    7 released, 8 settled, 9 received, 10 completed
 *                        session varint · packet id u16
 *   11 retained          expires at f64 · topic text · packet block
 *   12 retained-removed  topic text
 *   13 message with a mark, 14 held with a mark
 *                        as 5 and 6, then the mark
 *   15 marked            mark · group text
 *   16 unmarked          mark
 *
 *   holders:  count varint, then each  session varint · packet id u16 · flags u8 · [count varint · identifiers varint …]
 *             · [share text]
 *             flags: 1 QoS 2 (else 1) · 2 retain · 4 has identifiers · 8 has a share
 *
 *   mark:     session varint · packet id u16 · origin text
 *
 *   u16, f64: little-endian. text, block: length varint, then UTF-8, bytes.
 *   varint:   7 bits a byte, lowest first, the top bit set on all but the last; at most 2^53 - 1.
 */
export const KIND = {
  session: 1,
  'session-removed': 2,
  subscribed: 3,
  unsubscribed: 4,
  message: 5,
  held: 6,
  released: 7,
  settled: 8,
  received: 9,
  completed: 10,
  retained: 11,
  'retained-removed': 12,
  marked: 15,
  unmarked: 16,
} as const;

export const MARKED_MESSAGE = 13;
export const MARKED_HELD = 14;

export const OF_SNAPSHOT = 0x80;

export const SESSION_FRESH = 1;
export const SESSION_V5 = 2;
export const SESSION_OFFLINE = 4;
export const SESSION_WILL = 8;

export const OPTIONS_QOS = 3;
export const OPTIONS_NO_LOCAL = 4;
export const OPTIONS_RETAIN_AS_PUBLISHED = 8;

export const HOLDER_QOS_2 = 1;
export const HOLDER_RETAIN = 2;
export const HOLDER_IDENTIFIERS = 4;
export const HOLDER_SHARE = 8;
/** A session, a packet id and flags. */
export const HOLDER_LEAST_BYTES = 4;
