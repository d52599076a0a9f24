import type { AckPacket } from '@selsyn/wire/mqtt/packets.ts';
import { ACK_BYTES, writeAck, writePublish, type EncodedPublish } from '@selsyn/wire/mqtt/publish-writer.ts';
import { type BufferPool, LARGE_BUFFER_BYTES, SMALL_BUFFER_BYTES } from './buffer-pool.ts';
import type { BrokerCounters } from './counters.ts';
import type { Flushable, Flusher } from './flusher.ts';
import type { TracedClient, Tracing } from './trace.ts';
import type { Transport } from './transport.ts';

/** The connection whose packets these are, and the traces that may want to see them. */
export interface Traced extends TracedClient {
  readonly tracing: Tracing | undefined;
}

/**
 * The bytes that go to one connection: gathered during a turn of the event loop and written once, in order.
 *
 * Holds a buffer only while something is gathered. It never waits: how much may be gathered is for its callers to say, by
 * `backlogBytes` and `congested`.
 */
export class Outgoing implements Flushable {
  readonly #transport: Transport;
  readonly #pool: BufferPool;
  readonly #flusher: Flusher;
  readonly #counters: BrokerCounters;
  readonly #traced: Traced | undefined;
  #buffer: Buffer | undefined;
  #length = 0;
  #waiting = false;

  constructor(
    transport: Transport,
    shared: { readonly pool: BufferPool; readonly flusher: Flusher; readonly counters: BrokerCounters },
    traced?: Traced,
  ) {
    this.#transport = transport;
    this.#pool = shared.pool;
    this.#flusher = shared.flusher;
    this.#counters = shared.counters;
    this.#traced = traced;
  }

  /** Bytes that the operating system has not taken yet. */
  get backlogBytes(): number {
    return this.#length + this.#transport.backlogBytes;
  }

  get congested(): boolean {
    return this.#transport.congested;
  }

  /** A successful acknowledgement. */
  ack(type: AckPacket['type'], packetId: number): void {
    this.#length = writeAck(this.#room(ACK_BYTES), this.#length, type, packetId);
    this.#sent(ACK_BYTES);
  }

  publish(encoded: EncodedPublish, packetId: number, dup = false): void {
    const size = encoded.bytes.length;
    if (size <= LARGE_BUFFER_BYTES) {
      this.#length = writePublish(this.#room(size), this.#length, encoded, packetId, dup);
      this.#sent(size);
      return;
    }
    const { bytes, packetIdAt } = encoded;
    // What stands behind the packet id is the same for all who get it, and is not copied: they may be many.
    const headBytes = packetIdAt < 0 ? 0 : packetIdAt + 2;
    const isTraced = this.#traced?.tracing !== undefined;
    if (headBytes > LARGE_BUFFER_BYTES || (headBytes > 0 && isTraced)) {
      const copy = Buffer.allocUnsafeSlow(size);
      writePublish(copy, 0, encoded, packetId, dup);
      this.#sent(size, copy);
      this.#writeGathered();
      this.#write(copy);
      return;
    }
    if (headBytes > 0) {
      const head = { bytes: bytes.subarray(0, headBytes), packetIdAt };
      this.#length = writePublish(this.#room(headBytes), this.#length, head, packetId, dup);
    }
    this.#sent(size, bytes);
    this.#writeGathered();
    this.#write(bytes.subarray(headBytes));
  }

  packet(bytes: Uint8Array): void {
    this.#sent(bytes.length, bytes);
    if (bytes.length > LARGE_BUFFER_BYTES) {
      this.#writeGathered();
      this.#write(bytes);
      return;
    }
    this.#room(bytes.length).set(bytes, this.#length);
    this.#length += bytes.length;
  }

  flush(): void {
    this.#waiting = false;
    this.#writeGathered();
  }

  /** Lets go of what was not written. */
  discard(): void {
    if (this.#buffer !== undefined) this.#pool.give(this.#buffer);
    this.#buffer = undefined;
    this.#length = 0;
  }

  /** Counts a packet, and shows it where it is traced: `bytes`, or the last ones that were gathered. */
  #sent(size: number, bytes?: Uint8Array): void {
    this.#counters.packetsSent++;
    const traced = this.#traced;
    if (traced?.tracing === undefined) return;
    const shown = bytes ?? this.#buffer?.subarray(this.#length - size, this.#length);
    if (shown !== undefined) traced.tracing.wrote(traced, shown);
  }

  /** A buffer with room for `bytes` more at `#length`. */
  #room(bytes: number): Buffer {
    if (!this.#waiting) {
      this.#waiting = true;
      this.#flusher.add(this);
    }
    let buffer = this.#buffer;
    const needed = this.#length + bytes;
    if (buffer !== undefined && needed <= buffer.length) return buffer;
    if (needed <= SMALL_BUFFER_BYTES) buffer = this.#pool.takeSmall();
    else {
      if (needed > LARGE_BUFFER_BYTES) this.#writeGathered();
      buffer = this.#pool.takeLarge();
      const old = this.#buffer;
      if (old !== undefined) {
        buffer.set(old.subarray(0, this.#length));
        this.#pool.give(old);
      }
    }
    return (this.#buffer = buffer);
  }

  #writeGathered(): void {
    const buffer = this.#buffer;
    if (buffer === undefined) return;
    const length = this.#length;
    this.#buffer = undefined;
    this.#length = 0;
    if (this.#write(buffer.subarray(0, length))) this.#pool.give(buffer);
  }

  #write(bytes: Uint8Array): boolean {
    this.#counters.bytesSent += bytes.length;
    return this.#transport.write(bytes);
  }
}
