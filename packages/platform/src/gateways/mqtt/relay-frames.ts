import type { ClientCertificate } from '../../broker/authorizer.ts';
import type { Door } from '../../broker/transport.ts';

/*
 * What crosses between the two threads of a relay in one turn of the event loop, in one buffer that is handed over without a copy.
 * Numbers are little-endian:
 *
 *   batch   = entry, entry, ...
 *   entry   = kind (1) | connection (4) | number (4) | data
 *
 * `data` is `number` bytes long for opened, input and output, and empty for the others. The near thread, which has the client's
 * socket, numbers the connections.
 *
 *   opened  data = door (1) | certificate (1: 0 none, 1 not verified, 2 verified) | address bytes (2) | address | certificate (DER)
 */
export const FrameKind = {
  /** From the near thread: a connection to be served. */
  opened: 0,
  /** What the client sent. */
  input: 1,
  /** The client ended its direction. */
  inputEnded: 2,
  /** So many bytes of output were handed to the operating system. */
  sent: 3,
  /** Both directions are over. */
  closed: 4,
  /** From the home thread: bytes for the client. */
  output: 5,
  /** So many bytes of input were taken by the broker. */
  taken: 6,
  pause: 7,
  resume: 8,
  end: 9,
  destroy: 10,
  /** From both, of no connection: so many bytes of batches were worked through. */
  worked: 11,
} as const;
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];

export const FRAME_HEAD_BYTES = 9;

/** Gathers entries. */
export class FrameBatch {
  #bytes = EMPTY;
  #view = new DataView(EMPTY.buffer);
  #length = 0;
  /** As large as the last batch was: the next one will be like it. */
  #likelyBytes = LEAST_BYTES;

  get length(): number {
    return this.#length;
  }

  /** An entry without data. */
  add(kind: FrameKind, connection: number, number = 0): void {
    this.#head(kind, connection, number, 0);
  }

  /** An entry with data, which is copied. */
  addData(kind: FrameKind, connection: number, data: Uint8Array): void {
    const at = this.#head(kind, connection, data.length, data.length);
    this.#bytes.set(data, at);
  }

  /** Takes out what was added; the buffer is the caller's. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.#bytes.subarray(0, this.#length);
    this.#likelyBytes = Math.min(Math.max(this.#length, LEAST_BYTES), MOST_LIKELY_BYTES);
    this.clear();
    return taken;
  }

  clear(): void {
    this.#bytes = EMPTY;
    this.#length = 0;
  }

  /** @returns where the data goes. */
  #head(kind: FrameKind, connection: number, number: number, dataBytes: number): number {
    const at = this.#length;
    const dataAt = at + FRAME_HEAD_BYTES;
    const end = dataAt + dataBytes;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2, this.#likelyBytes));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#bytes[at] = kind;
    this.#view.setUint32(at + 1, connection, true);
    this.#view.setUint32(at + 5, number, true);
    this.#length = end;
    return dataAt;
  }
}

/** Calls `each` for the entries of a batch, in order. `data` lies in the batch. */
export function readFrames(
  batch: Uint8Array,
  each: (kind: FrameKind, connection: number, number: number, data: Uint8Array) => void,
): void {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
  let at = 0;
  while (at < batch.length) {
    const kind = batch[at] as FrameKind; // written by FrameBatch
    const number = view.getUint32(at + 5, true);
    const dataAt = at + FRAME_HEAD_BYTES;
    const hasData = kind === FrameKind.input || kind === FrameKind.output || kind === FrameKind.opened;
    const end = hasData ? dataAt + number : dataAt;
    each(kind, view.getUint32(at + 1, true), number, hasData ? batch.subarray(dataAt, end) : EMPTY);
    at = end;
  }
}

/** What the home thread is told of a client that it will not see itself. */
export interface RelayedClient {
  readonly door: Door;
  readonly remoteAddress: string;
  readonly certificate: ClientCertificate | undefined;
}

export function encodeClient({ door, remoteAddress, certificate }: RelayedClient): Uint8Array {
  const address = Buffer.from(remoteAddress);
  const head = Buffer.alloc(4);
  head[0] = DOORS.indexOf(door);
  head[1] = certificate === undefined ? 0 : certificate.verified ? 2 : 1;
  head.writeUInt16LE(address.length, 2);
  return Buffer.concat([head, address, certificate?.der ?? EMPTY]);
}

export function decodeClient(data: Uint8Array): RelayedClient {
  const bytes = Buffer.from(data);
  const certificateAt = 4 + bytes.readUInt16LE(2);
  return {
    door: DOORS[bytes[0]!]!,
    remoteAddress: bytes.toString('utf8', 4, certificateAt),
    certificate: bytes[1] === 0 ? undefined : { der: bytes.subarray(certificateAt), verified: bytes[1] === 2 },
  };
}

const DOORS: readonly Door[] = ['tcp', 'tls', 'ws', 'wss', 'unix'];
const EMPTY = new Uint8Array(0);
const LEAST_BYTES = 4_096;
const MOST_LIKELY_BYTES = 1_048_576;
