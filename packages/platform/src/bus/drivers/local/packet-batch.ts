import type { BusPacket, PacketMark, PacketUse } from '../../bus.ts';

/*
 * What crosses to another thread in one turn of the event loop, in one buffer that is handed over without a copy. Numbers are
 * little-endian, texts UTF-8:
 *
 *   batch    = entry, entry, ...
 *   packet   = use (1: 0 deliver, 1 share, 2 retain, 3 retained, 4 marked, 5 unmark; + 128: with a mark)
 *              | receipt (4; 0: none is wanted) | group bytes (4) | origin bytes (4) | packet bytes (4)
 *              | [session (8, IEEE 754) | packet id (2) | again (1)] | group | origin | packet
 *   note     = kind (1: 6 interest, 7 session, 8 disconnect, 9 sync, 10 synced) | number (8, IEEE 754) | text bytes (4) | text
 *   answer   = 11 (1) | receipt (4) | reason code (1)
 *   taken    = 12 (1) | bytes (4)
 *
 * Packets and notes are what is paid for: their sender counts their bytes as waiting until they come back as `taken`.
 */
const USES: readonly PacketUse[] = ['deliver', 'share', 'retain', 'retained', 'marked', 'unmark'];
const USE_CODES: Readonly<Record<PacketUse, number>> = {
  deliver: 0,
  share: 1,
  retain: 2,
  retained: 3,
  marked: 4,
  unmark: 5,
};
const HAS_MARK = 0x80;

/** What the ends of a bus tell each other besides packets; each has a text and a number. */
export const NoteKind = { interest: 6, session: 7, disconnect: 8, sync: 9, synced: 10 } as const;
export type NoteKind = (typeof NoteKind)[keyof typeof NoteKind];

const ANSWER = 11;
const TAKEN = 12;
const PACKET_HEAD_BYTES = 17;
const MARK_BYTES = 11;
const NOTE_HEAD_BYTES = 13;

/** Gathers entries. */
export class PacketBatch {
  #bytes: Buffer = EMPTY;
  #view: DataView = NO_VIEW;
  #length = 0;
  /** As large as the last batch was: the next one will be like it. */
  #likelyBytes = LEAST_BYTES;

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** @returns the bytes that it takes. */
  packet(packet: BusPacket, receipt: number): number {
    const { bytes, group, origin, mark } = packet;
    const at = this.#length;
    // No character of UTF-16 takes more than three bytes.
    const headBytes = mark === undefined ? PACKET_HEAD_BYTES : PACKET_HEAD_BYTES + MARK_BYTES;
    const into = this.#room(headBytes + (group.length + origin.length) * 3 + bytes.length);
    let end = at + headBytes;
    const groupBytes = group === '' ? 0 : into.write(group, end);
    end += groupBytes;
    const originBytes = origin === '' ? 0 : into.write(origin, end);
    end += originBytes;
    into.set(bytes, end);
    end += bytes.length;
    const view = this.#view;
    into[at] = USE_CODES[packet.use];
    if (mark !== undefined) {
      into[at] |= HAS_MARK;
      view.setFloat64(at + 17, mark.session, true);
      view.setUint16(at + 25, mark.packetId, true);
      into[at + 27] = mark.again ? 1 : 0;
    }
    view.setUint32(at + 1, receipt, true);
    view.setUint32(at + 5, groupBytes, true);
    view.setUint32(at + 9, originBytes, true);
    view.setUint32(at + 13, bytes.length, true);
    this.#length = end;
    return end - at;
  }

  /** @returns the bytes that it takes. */
  note(kind: NoteKind, text: string, number: number): number {
    const at = this.#length;
    const into = this.#room(NOTE_HEAD_BYTES + text.length * 3);
    const textBytes = text === '' ? 0 : into.write(text, at + NOTE_HEAD_BYTES);
    into[at] = kind;
    this.#view.setFloat64(at + 1, number, true);
    this.#view.setUint32(at + 9, textBytes, true);
    this.#length = at + NOTE_HEAD_BYTES + textBytes;
    return NOTE_HEAD_BYTES + textBytes;
  }

  answer(receipt: number, code: number): void {
    const at = this.#length;
    const into = this.#room(6);
    into[at] = ANSWER;
    this.#view.setUint32(at + 1, receipt, true);
    into[at + 5] = code;
    this.#length = at + 6;
  }

  taken(bytes: number): void {
    const at = this.#length;
    this.#room(5)[at] = TAKEN;
    this.#view.setUint32(at + 1, bytes, true);
    this.#length = at + 5;
  }

  /** Takes out what was added; the buffer is the caller's. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = new Uint8Array(this.#bytes.buffer as ArrayBuffer, 0, this.#length); // #room makes it of one
    this.#likelyBytes = Math.min(Math.max(this.#length, LEAST_BYTES), MOST_LIKELY_BYTES);
    this.clear();
    return taken;
  }

  clear(): void {
    this.#bytes = EMPTY;
    this.#view = NO_VIEW;
    this.#length = 0;
  }

  /** The buffer, with room for `bytes` more. */
  #room(bytes: number): Buffer {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return this.#bytes;
    // Of its own memory, never of a pool: it is given away.
    const grown = Buffer.from(new ArrayBuffer(Math.max(needed, this.#bytes.length * 2, this.#likelyBytes)));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
    return grown;
  }
}

/** Is told the entries of a batch. */
export interface BatchReader {
  /** `packet.bytes` lies in the batch. */
  onPacket(packet: BusPacket, receipt: number): void;
  onNote(kind: NoteKind, text: string, number: number): void;
  onAnswer(receipt: number, code: number): void;
  onTaken(bytes: number): void;
}

/**
 * Reads a batch, entry by entry, in order.
 * @returns the bytes of it that are paid for.
 */
export function readBatch(batch: Uint8Array, reader: BatchReader): number {
  const bytes = Buffer.from(batch.buffer, batch.byteOffset, batch.byteLength);
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
  let paid = 0;
  let at = 0;
  while (at < bytes.length) {
    const kind = bytes[at]!;
    if (kind === ANSWER) {
      reader.onAnswer(view.getUint32(at + 1, true), bytes[at + 5]!);
      at += 6;
    } else if (kind === TAKEN) {
      reader.onTaken(view.getUint32(at + 1, true));
      at += 5;
    } else if ((kind & ~HAS_MARK) < USES.length) {
      const mark = (kind & HAS_MARK) === 0 ? undefined : markAt(view, at + PACKET_HEAD_BYTES);
      const groupAt = at + PACKET_HEAD_BYTES + (mark === undefined ? 0 : MARK_BYTES);
      const originAt = groupAt + view.getUint32(at + 5, true);
      const packetAt = originAt + view.getUint32(at + 9, true);
      const end = packetAt + view.getUint32(at + 13, true);
      const packet: BusPacket = {
        use: USES[kind & ~HAS_MARK]!,
        bytes: batch.subarray(packetAt, end),
        group: bytes.toString('utf8', groupAt, originAt),
        origin: bytes.toString('utf8', originAt, packetAt),
        mark,
      };
      reader.onPacket(packet, view.getUint32(at + 1, true));
      paid += end - at;
      at = end;
    } else {
      const end = at + NOTE_HEAD_BYTES + view.getUint32(at + 9, true);
      reader.onNote(kind as NoteKind, bytes.toString('utf8', at + NOTE_HEAD_BYTES, end), view.getFloat64(at + 1, true)); // the kinds left
      paid += end - at;
      at = end;
    }
  }
  return paid;
}

function markAt(view: DataView, at: number): PacketMark {
  return { session: view.getFloat64(at, true), packetId: view.getUint16(at + 8, true), again: view.getUint8(at + 10) === 1 };
}

const EMPTY = Buffer.alloc(0);
const NO_VIEW = new DataView(new ArrayBuffer(0));
const LEAST_BYTES = 1_024;
const MOST_LIKELY_BYTES = 1_048_576;
