import type { ClientCertificate } from '../../broker/authorizer.ts';
import type { Door, Transport, TransportListener } from '../../broker/transport.ts';
import { FrameKind, type RelayedClient } from './relay-frames.ts';
import type { RelayLink } from './relay-link.ts';

/**
 * The home end of a relayed connection: a client whose socket another thread has.
 *
 * Bytes that were written count as backlog until the operating system has them there. While it is paused, what comes in waits
 * here; the near end stops at its window.
 */
export class RelayedTransport implements Transport {
  readonly door: Door;
  readonly remoteAddress: string;
  readonly certificate: ClientCertificate | undefined;
  readonly #link: RelayLink;
  readonly #connection: number;
  #listener: TransportListener | undefined;
  #state: 'open' | 'ended' | 'destroyed' | 'closed' = 'open';
  #backlogBytes = 0;
  #congested = false;
  #paused = false;
  /** What came while it was paused. */
  #held: Uint8Array[] = [];
  #endBehindHeld = false;
  #closeBehindHeld = false;
  #unreportedBytes = 0;

  constructor(link: RelayLink, connection: number, client: RelayedClient) {
    this.#link = link;
    this.#connection = connection;
    this.door = client.door;
    this.remoteAddress = client.remoteAddress;
    this.certificate = client.certificate;
  }

  get backlogBytes(): number {
    return this.#backlogBytes;
  }

  get congested(): boolean {
    return this.#congested;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#state !== 'open' || this.#closeBehindHeld) return true;
    this.#backlogBytes += bytes.length;
    if (this.#backlogBytes >= CONGESTED_BYTES) this.#congested = true;
    this.#link.sendData(FrameKind.output, this.#connection, bytes);
    return true;
  }

  pause(): void {
    if (this.#paused || this.#isOver) return;
    this.#paused = true;
    this.#link.send(FrameKind.pause, this.#connection);
  }

  resume(): void {
    if (!this.#paused || this.#isOver) return;
    this.#paused = false;
    this.#deliverHeld();
    // Unless the listener has had enough again.
    if (!this.#paused && !this.#isOver) this.#link.send(FrameKind.resume, this.#connection);
  }

  end(): void {
    if (this.#state !== 'open') return;
    this.#state = 'ended';
    this.#link.send(FrameKind.end, this.#connection);
  }

  destroy(): void {
    if (this.#isOver) return;
    this.#state = 'destroyed';
    this.#held = [];
    // The near end answers that it is closed, unless it has said so before.
    if (this.#closeBehindHeld) queueMicrotask(() => this.closed());
    else this.#link.send(FrameKind.destroy, this.#connection);
  }

  attach(listener: TransportListener): void {
    this.#listener = listener;
  }

  /** The client sent bytes. They are copied: whoever takes them may keep them for long, and they lie in a batch of many. */
  input(bytes: Uint8Array): void {
    if (this.#isOver) return;
    const chunk = Buffer.from(bytes);
    if (this.#paused) this.#held.push(chunk);
    else this.#deliver(chunk);
  }

  inputEnded(): void {
    if (this.#isOver) return;
    if (this.#held.length > 0) this.#endBehindHeld = true;
    else this.#listener?.onEnd();
  }

  /** The near end has handed so much to the operating system. */
  sent(bytes: number): void {
    this.#backlogBytes -= bytes;
    if (!this.#congested || this.#backlogBytes > 0) return;
    this.#congested = false;
    if (!this.#isOver) this.#listener?.onDrain();
  }

  /** The near end is no more. */
  closed(): void {
    if (this.#state === 'closed') return;
    if (this.#held.length > 0) {
      this.#closeBehindHeld = true;
      return;
    }
    this.#state = 'closed';
    this.#link.forgetTransport(this.#connection);
    this.#listener?.onClose();
  }

  /** The other thread is no more. */
  lost(): void {
    this.#held = [];
    this.closed();
  }

  get #isOver(): boolean {
    return this.#state === 'destroyed' || this.#state === 'closed';
  }

  #deliverHeld(): void {
    while (!this.#paused) {
      const chunk = this.#held.shift();
      if (chunk === undefined) break;
      this.#deliver(chunk);
    }
    if (this.#held.length > 0 || this.#isOver) return;
    if (this.#endBehindHeld) {
      this.#endBehindHeld = false;
      this.#listener?.onEnd();
    }
    if (this.#closeBehindHeld) this.closed();
  }

  #deliver(chunk: Uint8Array): void {
    this.#unreportedBytes += chunk.length;
    if (this.#unreportedBytes >= REPORT_BYTES && !this.#closeBehindHeld) {
      this.#link.send(FrameKind.taken, this.#connection, this.#unreportedBytes);
      this.#unreportedBytes = 0;
    }
    this.#listener?.onData(chunk);
  }
}

/** Its mark. More than a socket's: the way to the operating system is longer. */
const CONGESTED_BYTES = 262_144;
/** A fraction of the window of the near end. */
const REPORT_BYTES = 16_384;
