import type { MessagePort } from 'node:worker_threads';
import type { PeerId } from '../../bus/bus.ts';
import type { PeekableTransport } from './peekable-transport.ts';
import { decodeClient, encodeClient, FRAME_HEAD_BYTES, FrameBatch, FrameKind, readFrames } from './relay-frames.ts';
import { RelaySource } from './relay-source.ts';
import { RelayedTransport } from './relay-transport.ts';

/** Whoever owns the links. */
export interface RelayLinkHost {
  /** A connection came in at the other thread whose home is here. */
  accept(transport: RelayedTransport): void;
  /** A connection is no more. */
  onForgotten(): void;
}

/** One end of the relay between two threads, for the connections that either has taken and the other serves. */
export class RelayLink {
  readonly peer: PeerId;
  readonly #port: MessagePort;
  readonly #host: RelayLinkHost;
  readonly #batch = new FrameBatch();
  /** Connections that came in here and are served there, ... */
  readonly #sources = new Map<number, RelaySource>();
  /** ... and those that came in there and are served here. */
  readonly #transports = new Map<number, RelayedTransport>();
  #lastConnection = 0;
  /** Bytes gathered or sent that the other thread has not worked through. */
  #waitingBytes = 0;
  #congested = false;
  #scheduled = false;
  #gone = false;
  readonly #post = (): void => this.#postBatch();

  constructor(peer: PeerId, port: MessagePort, host: RelayLinkHost) {
    this.peer = peer;
    this.#port = port;
    this.#host = host;
  }

  /** Connections of both kinds. */
  get size(): number {
    return this.#sources.size + this.#transports.size;
  }

  /** True while the other thread is so far behind that nothing more should be read for it. */
  get congested(): boolean {
    return this.#congested;
  }

  open(): void {
    this.#port.on('message', (batch: Uint8Array) => this.#hear(batch));
    this.#port.on('close', () => this.#lose());
  }

  /** Lets the other thread serve a connection of which `bytes` have come in. */
  relay(transport: PeekableTransport, bytes: Uint8Array): void {
    if (this.#gone) {
      transport.destroy();
      return;
    }
    do this.#lastConnection = (this.#lastConnection + 1) >>> 0;
    while (this.#sources.has(this.#lastConnection));
    const connection = this.#lastConnection;
    const source = new RelaySource(this, connection, transport);
    this.#sources.set(connection, source);
    this.sendData(FrameKind.opened, connection, encodeClient(transport));
    transport.attach(source);
    source.onData(bytes);
  }

  send(kind: FrameKind, connection: number, number?: number): void {
    if (this.#gone) return;
    this.#batch.add(kind, connection, number);
    if (kind !== FrameKind.worked) this.#waitingBytes += FRAME_HEAD_BYTES;
    this.#schedule();
  }

  sendData(kind: FrameKind, connection: number, data: Uint8Array): void {
    if (this.#gone) return;
    this.#batch.addData(kind, connection, data);
    this.#waitingBytes += FRAME_HEAD_BYTES + data.length;
    this.#schedule();
    if (!this.#congested && this.#waitingBytes >= CONGESTED_BYTES) this.#setCongested(true);
  }

  forgetSource(connection: number): void {
    if (!this.#sources.delete(connection)) return;
    this.send(FrameKind.closed, connection);
    this.#host.onForgotten();
  }

  forgetTransport(connection: number): void {
    if (this.#transports.delete(connection)) this.#host.onForgotten();
  }

  /** Hands over what was gathered, and closes all that is left. */
  close(): void {
    this.#postBatch();
    this.#port.close();
    this.#lose();
  }

  #hear(batch: Uint8Array): void {
    const touched = new Set<RelaySource>();
    let workedBytes = 0;
    readFrames(batch, (kind, connection, number, data) => {
      if (kind === FrameKind.worked) {
        this.#waitingBytes -= number;
        return;
      }
      workedBytes += FRAME_HEAD_BYTES + data.length;
      if (kind === FrameKind.opened) this.#accept(connection, data);
      else if (kind < FrameKind.output) this.#fromNear(kind, connection, number, data);
      else {
        const source = this.#sources.get(connection);
        if (source === undefined) return; // it has closed meanwhile
        if (kind === FrameKind.output) touched.add(source);
        fromHome(source, kind, number, data);
      }
    });
    for (const source of touched) source.report();
    if (workedBytes > 0) this.send(FrameKind.worked, 0, workedBytes);
    if (this.#congested && this.#waitingBytes <= CONGESTED_BYTES / 2) this.#setCongested(false);
  }

  #accept(connection: number, data: Uint8Array): void {
    const transport = new RelayedTransport(this, connection, decodeClient(data));
    this.#transports.set(connection, transport);
    this.#host.accept(transport);
  }

  #fromNear(kind: FrameKind, connection: number, number: number, data: Uint8Array): void {
    const transport = this.#transports.get(connection);
    if (transport === undefined) return;
    if (kind === FrameKind.input) transport.input(data);
    else if (kind === FrameKind.inputEnded) transport.inputEnded();
    else if (kind === FrameKind.sent) transport.sent(number);
    else transport.closed();
  }

  /** The other thread has ended, or is left: nobody serves our clients any more, and nobody has the sockets of its clients. */
  #lose(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#batch.clear();
    for (const source of this.#sources.values()) source.destroy();
    for (const transport of this.#transports.values()) transport.lost();
  }

  #setCongested(congested: boolean): void {
    this.#congested = congested;
    for (const source of this.#sources.values()) source.checkPause();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#post);
  }

  #postBatch(): void {
    this.#scheduled = false;
    if (this.#gone || this.#batch.length === 0) return;
    const batch = this.#batch.take();
    this.#port.postMessage(batch, [batch.buffer]);
  }
}

function fromHome(source: RelaySource, kind: FrameKind, number: number, data: Uint8Array): void {
  switch (kind) {
    case FrameKind.output:
      source.output(data);
      return;
    case FrameKind.taken:
      source.taken(number);
      return;
    case FrameKind.pause:
      source.hold(true);
      return;
    case FrameKind.resume:
      source.hold(false);
      return;
    case FrameKind.end:
      source.end();
      return;
    case FrameKind.destroy:
      source.destroy();
      return;
  }
}

/** What may wait for another thread until its clients' sockets are left unread. */
const CONGESTED_BYTES = 16_777_216;
